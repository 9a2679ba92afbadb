// Runs a trajnet model with ONNX Runtime's C++ API: a CSV of tracked objects in, a CSV of predicted paths out.
//
//     predict MODEL.onnx tracks.csv > paths.csv
//
// tracks.csv: a header, then a row for each object and frame, frames in order of time, SI units in one fixed frame:
//     timestamp_ns,track_id,object_class,position_x,position_y,heading,velocity_x,velocity_y,length,width
// Columns are found by name. A velocity may be empty: not measured. Length and width may be empty or absent.
// paths.csv: timestamp_ns,track_id,mode,probability,time_s,x,y,yaw,cov_xx,cov_xy,cov_yy.
//
// This is the network alone, without a map: no deadline, no checks of the paths, no constant velocity where the model
// was not trained, no self-judging. docs/cpp.md says how to compile it and what a vehicle needs beside it.

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

const std::vector<std::string> kClasses = {"unknown", "car", "truck", "bus", "motorcycle", "bicycle", "pedestrian"};
const std::vector<std::array<double, 2>> kDefaultSize_m = {{2.0, 1.0}, {4.6, 1.9}, {8.0, 2.5}, {12.0, 2.9},
                                                           {2.2, 0.8}, {1.8, 0.6}, {0.6, 0.6}};
constexpr int kContractVersion = 4;
constexpr int64_t kTimeout_ns = 1'000'000'000;  // a track that was not seen for longer begins anew
constexpr double kSteadyTime_s = 0.4;           // time constant of the steady velocity
constexpr double kMaxSteady_mps = 100.0;
constexpr double kClosest_m2 = 1e-2;
constexpr float kReach_m2 = 40.0F * 40.0F;

// ---------------------------------------------------------------------------------------------- the table of objects

struct Object {
  std::string track_id;
  int object_class = 0;
  std::array<double, 2> position_m{}, velocity_mps{}, size_m{};
  double yaw_rad = 0.0;
  bool velocity_valid = false;
};

struct Frame {
  int64_t timestamp_ns = 0;
  std::vector<Object> objects;
};

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  std::stringstream stream(line.substr(0, line.find_last_not_of("\r") + 1));
  for (std::string field; std::getline(stream, field, ',');) fields.push_back(field);
  return fields;
}

std::vector<Frame> read_frames(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) throw std::runtime_error(path + ": expected a CSV with a header, got no such file");
  std::map<std::string, size_t> column;
  for (const auto& name : fields_of(line)) column.emplace(name, column.size());
  for (const char* name : {"timestamp_ns", "track_id", "object_class", "position_x", "position_y", "heading"})
    if (!column.count(name)) throw std::runtime_error(path + ": expected a column " + name);

  std::vector<Frame> frames;
  for (int number = 2; std::getline(file, line); ++number) {
    const auto fields = fields_of(line);
    const auto text = [&](const char* name) {
      const auto found = column.find(name);
      return found == column.end() || found->second >= fields.size() ? std::string() : fields[found->second];
    };
    const auto required = [&](const char* name) {
      const std::string value = text(name);
      if (value.empty())
        throw std::runtime_error(path + ", line " + std::to_string(number) + ": expected a value of " + name);
      return value;
    };
    Object object;
    object.track_id = required("track_id");
    const auto known = std::find(kClasses.begin(), kClasses.end(), required("object_class"));
    if (known == kClasses.end())
      throw std::runtime_error(path + ", line " + std::to_string(number) + ": unknown class " + text("object_class"));
    object.object_class = static_cast<int>(known - kClasses.begin());
    object.position_m = {std::stod(required("position_x")), std::stod(required("position_y"))};
    object.yaw_rad = std::remainder(std::stod(required("heading")), 2.0 * M_PI);
    object.velocity_valid = !text("velocity_x").empty() && !text("velocity_y").empty();
    if (object.velocity_valid) object.velocity_mps = {std::stod(text("velocity_x")), std::stod(text("velocity_y"))};
    object.size_m = kDefaultSize_m[static_cast<size_t>(object.object_class)];
    if (!text("length").empty() && !text("width").empty())
      object.size_m = {std::stod(text("length")), std::stod(text("width"))};

    const int64_t timestamp_ns = std::stoll(required("timestamp_ns"));
    if (frames.empty() || timestamp_ns > frames.back().timestamp_ns) frames.push_back({timestamp_ns, {}});
    if (timestamp_ns != frames.back().timestamp_ns)
      throw std::runtime_error(path + ", line " + std::to_string(number) + ": expected rows in order of time");
    frames.back().objects.push_back(std::move(object));
  }
  return frames;
}

// ------------------------------------------------------------------------------------------- what a track remembers

struct Track {
  int64_t seen_ns = 0;
  std::array<double, 2> position_m{}, steady_mps{};
  double yaw_rad = 0.0;
  bool steady_known = false;
  std::map<std::string, std::vector<float>> state;  // "h", and "c" of an LSTM: layers x hidden
};

// What the network is told about an object beside the observation itself.
struct Motion {
  bool reset = true;
  double dt_s = 0.0, previous_yaw_rad = 0.0;
  std::array<double, 2> displacement_m{}, steady_mps{};
};

// The velocity from displacements, exponentially weighted (trajnet/tracking/motion.py). The track is brought up to date.
Motion observe(Track& track, const Object& object, int64_t timestamp_ns, bool is_new) {
  Motion motion;
  motion.reset = is_new;
  motion.previous_yaw_rad = is_new ? object.yaw_rad : track.yaw_rad;
  motion.steady_mps = object.velocity_mps;
  if (!is_new) {
    motion.dt_s = static_cast<double>(timestamp_ns - track.seen_ns) * 1e-9;
    const double kept = track.steady_known ? std::exp(-motion.dt_s / kSteadyTime_s) : 0.0;
    for (size_t i = 0; i < 2; ++i) {
      motion.displacement_m[i] = object.position_m[i] - track.position_m[i];
      const double moved_mps = std::clamp(motion.displacement_m[i] / motion.dt_s, -kMaxSteady_mps, kMaxSteady_mps);
      motion.steady_mps[i] = moved_mps + kept * (track.steady_mps[i] - moved_mps);
    }
  }
  track.seen_ns = timestamp_ns;
  track.position_m = object.position_m;
  track.yaw_rad = object.yaw_rad;
  track.steady_mps = motion.steady_mps;
  track.steady_known = !is_new || object.velocity_valid;
  return motion;
}

// The nearest objects within reach, nearest first. As in trajnet/context/surroundings.py the order is that of float32
// squares whose lowest bits are the row, so that near ties fall as they do in Python.
std::vector<size_t> nearest(const std::vector<Object>& objects, size_t row, size_t count) {
  int32_t row_bits = 1;
  while (row_bits < static_cast<int32_t>(objects.size())) row_bits *= 2;
  row_bits -= 1;
  const auto bits_of = [](float value) { int32_t bits; std::memcpy(&bits, &value, sizeof bits); return bits; };
  std::vector<int32_t> keys;
  for (size_t other = 0; other < objects.size(); ++other) {
    const auto x = static_cast<float>(objects[row].position_m[0] - objects[other].position_m[0]);
    const auto y = static_cast<float>(objects[row].position_m[1] - objects[other].position_m[1]);
    const int32_t key = (bits_of(x * x + y * y) & ~row_bits) | static_cast<int32_t>(other);
    if (other != row && key <= (bits_of(kReach_m2) | row_bits)) keys.push_back(key);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<size_t> rows;
  for (size_t i = 0; i < std::min(count, keys.size()); ++i) rows.push_back(static_cast<size_t>(keys[i] & row_bits));
  return rows;
}

// ---------------------------------------------------------------------------------------------------------- the model

class Model {
 public:
  explicit Model(const std::string& path) : session_(nullptr) {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
    session_ = Ort::Session(env_, path.c_str(), options);
    Ort::AllocatorWithDefaultOptions allocator;
    for (size_t i = 0; i < session_.GetInputCount(); ++i)
      inputs_.push_back({session_.GetInputNameAllocated(i, allocator).get(),
                         session_.GetInputTypeInfo(i).GetTensorTypeAndShapeInfo().GetShape()});
    for (size_t i = 0; i < session_.GetOutputCount(); ++i)
      outputs_.push_back(session_.GetOutputNameAllocated(i, allocator).get());
    const auto found = session_.GetModelMetadata().LookupCustomMetadataMapAllocated("trajnet.contract", allocator);
    if (!found) throw std::runtime_error(path + ": expected a model exported by trajnet, got another");
    const std::string contract = found.get();
    if (contract.find("\"version\": " + std::to_string(kContractVersion)) == std::string::npos)
      throw std::runtime_error(path + ": expected contract version " + std::to_string(kContractVersion));
    std::stringstream times(contract.substr(contract.find('[', contract.find("\"time_s\"")) + 1));
    for (double time_s; times >> time_s; times.ignore(1)) time_s_.push_back(time_s);
  }

  // One step of the network for all objects of a frame. Prints their paths; keeps the state of their tracks.
  void step(const Frame& frame) {
    const auto n = static_cast<int64_t>(frame.objects.size());
    const auto motions = observe_all(frame);
    std::vector<Ort::Value> tensors;
    std::vector<std::vector<float>> floats(inputs_.size());  // must outlive the run
    std::vector<int8_t> no_map;
    std::vector<const char*> input_names, output_names;
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      std::vector<int64_t> shape = inputs_[i].shape;  // the number of tracks is the only size that is not fixed
      std::replace_if(shape.begin(), shape.end(), [](int64_t size) { return size < 0; }, n);
      const auto size = static_cast<size_t>(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()));
      input_names.push_back(inputs_[i].name.c_str());
      if (inputs_[i].name == "map_distance") {  // no map: all 0, and map_valid is 0
        no_map.assign(size, 0);
        tensors.push_back(Ort::Value::CreateTensor<int8_t>(memory, no_map.data(), size, shape.data(), shape.size()));
        continue;
      }
      floats[i].assign(size, 0.0F);
      if (inputs_[i].name == "observation") fill_observations(frame, motions, floats[i], size / n);
      else if (inputs_[i].name == "neighbours") fill_neighbours(frame, motions, floats[i], shape[1], shape[2]);
      else fill_state(frame, motions, inputs_[i].name, floats[i], shape);
      tensors.push_back(Ort::Value::CreateTensor<float>(memory, floats[i].data(), size, shape.data(), shape.size()));
    }
    for (const auto& name : outputs_) output_names.push_back(name.c_str());
    auto answers = session_.Run(Ort::RunOptions{nullptr}, input_names.data(), tensors.data(), tensors.size(),
                                output_names.data(), output_names.size());
    std::map<std::string, Ort::Value*> answer;
    for (size_t i = 0; i < answers.size(); ++i) answer[outputs_[i]] = &answers[i];
    keep_state(frame, answer);
    print_paths(frame, *answer.at("paths"), *answer.at("probability"));
  }

 private:
  struct Input {
    std::string name;
    std::vector<int64_t> shape;
  };

  std::vector<Motion> observe_all(const Frame& frame) {
    for (auto track = tracks_.begin(); track != tracks_.end();)
      track = frame.timestamp_ns - track->second.seen_ns > kTimeout_ns ? tracks_.erase(track) : std::next(track);
    std::vector<Motion> motions;
    for (const auto& object : frame.objects) {
      const auto [track, is_new] = tracks_.try_emplace(object.track_id);
      if (!is_new && track->second.seen_ns == frame.timestamp_ns)
        throw std::runtime_error("expected each track once in a frame, got " + object.track_id + " twice");
      motions.push_back(observe(track->second, object, frame.timestamp_ns, is_new));
    }
    return motions;
  }

  static void fill_observations(const Frame& frame, const std::vector<Motion>& motions, std::vector<float>& out,
                                size_t columns) {
    for (size_t i = 0; i < motions.size(); ++i) {
      const Object& seen = frame.objects[i];
      const Motion& motion = motions[i];
      const double values[] = {motion.displacement_m[0], motion.displacement_m[1], seen.velocity_mps[0],
                               seen.velocity_mps[1], motion.steady_mps[0], motion.steady_mps[1], seen.yaw_rad,
                               motion.previous_yaw_rad, motion.dt_s, motion.reset ? 1.0 : 0.0,
                               seen.velocity_valid ? 1.0 : 0.0, seen.size_m[0], seen.size_m[1], 0.0};
      std::copy(std::begin(values), std::end(values), out.begin() + static_cast<int64_t>(i * columns));
      out[i * columns + std::size(values) + static_cast<size_t>(seen.object_class)] = 1.0F;
    }
  }

  static void fill_neighbours(const Frame& frame, const std::vector<Motion>& motions, std::vector<float>& out,
                              int64_t count, int64_t columns) {
    for (size_t i = 0; i < motions.size(); ++i) {
      auto place = out.begin() + static_cast<int64_t>(i) * count * columns;
      for (const size_t row : nearest(frame.objects, i, static_cast<size_t>(count))) {
        const Object& other = frame.objects[row];
        const auto& velocity_mps = other.velocity_valid ? other.velocity_mps : motions[row].steady_mps;
        const double x = other.position_m[0] - frame.objects[i].position_m[0];
        const double y = other.position_m[1] - frame.objects[i].position_m[1];
        const double values[] = {x, y, velocity_mps[0], velocity_mps[1], std::cos(other.yaw_rad),
                                 std::sin(other.yaw_rad), std::log(other.size_m[0]), std::log(other.size_m[1]),
                                 std::log(x * x + y * y + kClosest_m2), 1.0};
        std::copy(std::begin(values), std::end(values), place);
        place += columns;
      }
    }
  }

  // State tensors are layers x tracks x hidden; those of new tracks stay 0.
  void fill_state(const Frame& frame, const std::vector<Motion>& motions, const std::string& name,
                  std::vector<float>& out, const std::vector<int64_t>& shape) {
    const auto hidden = static_cast<size_t>(shape[2]);
    for (size_t i = 0; i < motions.size(); ++i) {
      const auto& kept = tracks_.at(frame.objects[i].track_id).state[name];
      for (size_t layer = 0; !motions[i].reset && layer < static_cast<size_t>(shape[0]); ++layer)
        std::copy_n(kept.begin() + static_cast<int64_t>(layer * hidden), hidden,
                    out.begin() + static_cast<int64_t>((layer * motions.size() + i) * hidden));
    }
  }

  void keep_state(const Frame& frame, const std::map<std::string, Ort::Value*>& answer) {
    for (const auto& [name, value] : answer) {
      const size_t end = name.rfind("_next");
      if (end == std::string::npos) continue;
      const auto shape = value->GetTensorTypeAndShapeInfo().GetShape();
      const auto hidden = static_cast<size_t>(shape[2]);
      for (size_t i = 0; i < frame.objects.size(); ++i) {
        auto& kept = tracks_.at(frame.objects[i].track_id).state[name.substr(0, end)];
        kept.clear();
        for (size_t layer = 0; layer < static_cast<size_t>(shape[0]); ++layer) {
          const float* from = value->GetTensorData<float>() + (layer * frame.objects.size() + i) * hidden;
          kept.insert(kept.end(), from, from + hidden);
        }
      }
    }
  }

  // paths is planes x modes x times x tracks, relative to each object's position.
  void print_paths(const Frame& frame, const Ort::Value& paths, const Ort::Value& probability) const {
    const auto shape = paths.GetTensorTypeAndShapeInfo().GetShape();
    const auto modes = static_cast<size_t>(shape[1]), times = static_cast<size_t>(shape[2]);
    const size_t n = frame.objects.size();
    for (size_t i = 0; i < n; ++i)
      for (size_t mode = 0; mode < modes; ++mode)
        for (size_t time = 0; time < times; ++time) {
          const auto plane = [&](size_t p) {
            return static_cast<double>(paths.GetTensorData<float>()[((p * modes + mode) * times + time) * n + i]);
          };
          const Object& object = frame.objects[i];
          std::printf("%lld,%s,%zu,%.6f,%g,%.6f,%.6f,%.6f,%.9g,%.9g,%.9g\n",
                      static_cast<long long>(frame.timestamp_ns), object.track_id.c_str(), mode,
                      static_cast<double>(probability.GetTensorData<float>()[i * modes + mode]), time_s_.at(time),
                      object.position_m[0] + plane(0), object.position_m[1] + plane(1), plane(2), plane(3), plane(4),
                      plane(5));
        }
  }

  Ort::Env env_{ORT_LOGGING_LEVEL_WARNING, "trajnet"};
  Ort::Session session_;
  std::vector<Input> inputs_;
  std::vector<std::string> outputs_;
  std::vector<double> time_s_;
  std::map<std::string, Track> tracks_;
};

}  // namespace

int main(int count, char** words) {
  if (count != 3) {
    std::cerr << "usage: predict MODEL.onnx tracks.csv > paths.csv\n";
    return 2;
  }
  try {
    Model model(words[1]);
    std::puts("timestamp_ns,track_id,mode,probability,time_s,x,y,yaw,cov_xx,cov_xy,cov_yy");
    for (const auto& frame : read_frames(words[2])) model.step(frame);
  } catch (const std::exception& error) {
    std::cerr << "predict: " << error.what() << '\n';
    return 2;
  }
  return 0;
}
