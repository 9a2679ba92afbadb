"""Rows of arrays in files of bounded size that many processes write and read: training windows that outgrow memory."""

from trajnet.shards.build import Group, build_groups
from trajnet.shards.reader import Found, Shard, ShardReader
from trajnet.shards.store import Piece, write_shards

__all__ = ["Found", "Group", "Piece", "Shard", "ShardReader", "build_groups", "write_shards"]
