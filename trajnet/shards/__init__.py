"""Rows of arrays in files of bounded size that many processes write and read: training windows that outgrow memory."""

from trajnet.shards.build import Group, build_groups
from trajnet.shards.reader import Shard, ShardReader
from trajnet.shards.store import write_shards

__all__ = ["Group", "Shard", "ShardReader", "build_groups", "write_shards"]
