// NMS and RoIAlign as single-threaded loops, in the order of work that torchvision publishes for its
// CPU operators (https://github.com/pytorch/vision, BSD-3-Clause), and points to pictures in that of
// PyTorch3D's (https://github.com/facebookresearch/pytorch3d, BSD-3-Clause), written anew for the
// benchmark: neither can be installed beside this package.
#include <torch/extension.h>

#include <algorithm>
#include <cmath>
#include <queue>
#include <tuple>
#include <vector>

// Visit boxes by decreasing score; mark every later box that overlaps too much.
torch::Tensor nms(const torch::Tensor& boxes, const torch::Tensor& scores, double threshold) {
  const auto sides = boxes.t().contiguous();
  const auto areas = ((sides[2] - sides[0]) * (sides[3] - sides[1])).contiguous();
  const auto order = std::get<1>(scores.sort(/*stable=*/true, /*dim=*/0, /*descending=*/true));
  const int64_t n = boxes.size(0);
  const float* x1 = sides.data_ptr<float>();
  const float *y1 = x1 + n, *x2 = x1 + 2 * n, *y2 = x1 + 3 * n;
  const float* area = areas.data_ptr<float>();
  const int64_t* visit = order.data_ptr<int64_t>();
  std::vector<uint8_t> suppressed(n, 0);
  auto kept = torch::empty({n}, torch::kInt64);
  int64_t* out = kept.data_ptr<int64_t>();
  int64_t count = 0;
  for (int64_t a = 0; a < n; ++a) {
    const int64_t i = visit[a];
    if (suppressed[i]) continue;
    out[count++] = i;
    for (int64_t b = a + 1; b < n; ++b) {
      const int64_t j = visit[b];
      if (suppressed[j]) continue;
      const float w = std::max(0.f, std::min(x2[i], x2[j]) - std::max(x1[i], x1[j]));
      const float h = std::max(0.f, std::min(y2[i], y2[j]) - std::max(y1[i], y1[j]));
      const float intersection = w * h;
      if (intersection / (area[i] + area[j] - intersection) > threshold) suppressed[j] = 1;
    }
  }
  return kept.narrow(0, 0, count).clone();
}

namespace {

struct Sample {  // four pixels around a point, and their weights; weights 0 outside the map
  int64_t pixel[4];
  float weight[4];
};

Sample bilinear(float y, float x, int64_t height, int64_t width) {
  if (y < -1 || y > height || x < -1 || x > width) return {{0, 0, 0, 0}, {0, 0, 0, 0}};
  y = std::max(y, 0.f);
  x = std::max(x, 0.f);
  int64_t top = static_cast<int64_t>(y), left = static_cast<int64_t>(x);
  int64_t bottom = top + 1, right = left + 1;
  if (top >= height - 1) y = static_cast<float>(top = bottom = height - 1);
  if (left >= width - 1) x = static_cast<float>(left = right = width - 1);
  const float ly = y - top, lx = x - left, hy = 1 - ly, hx = 1 - lx;
  return {{top * width + left, top * width + right, bottom * width + left, bottom * width + right},
          {hy * hx, hy * lx, ly * hx, ly * lx}};
}

struct Grid {  // of one RoI, aligned=False
  float y, x, cell_height, cell_width;
  int64_t image, samples;

  Grid(const float* roi, float scale, int64_t bins, int64_t samples)
      : y(roi[2] * scale), x(roi[1] * scale), image(static_cast<int64_t>(roi[0])), samples(samples) {
    cell_width = std::max(roi[3] * scale - x, 1.f) / bins;
    cell_height = std::max(roi[4] * scale - y, 1.f) / bins;
  }
  Sample at(int64_t row, int64_t column, int64_t iy, int64_t ix, int64_t height, int64_t width) const {
    return bilinear(y + row * cell_height + (iy + .5f) * cell_height / samples,
                    x + column * cell_width + (ix + .5f) * cell_width / samples, height, width);
  }
};

}  // namespace

// The samples of a RoI are worked out once and used for every channel.
torch::Tensor roi_align(const torch::Tensor& input, const torch::Tensor& rois, double scale,
                        int64_t bins, int64_t samples) {
  const auto map = input.contiguous(), boxes = rois.contiguous();
  const int64_t channels = map.size(1), height = map.size(2), width = map.size(3);
  auto result = torch::empty({rois.size(0), channels, bins, bins}, input.options());
  float* out = result.data_ptr<float>();
  std::vector<Sample> grid(bins * bins * samples * samples);
  for (int64_t k = 0; k < rois.size(0); ++k) {
    const Grid roi(boxes.data_ptr<float>() + 5 * k, scale, bins, samples);
    auto next = grid.begin();
    for (int64_t row = 0; row < bins; ++row)
      for (int64_t column = 0; column < bins; ++column)
        for (int64_t iy = 0; iy < samples; ++iy)
          for (int64_t ix = 0; ix < samples; ++ix) *next++ = roi.at(row, column, iy, ix, height, width);
    for (int64_t c = 0; c < channels; ++c) {
      const float* plane = map.data_ptr<float>() + (roi.image * channels + c) * height * width;
      auto sample = grid.cbegin();
      for (int64_t cell = 0; cell < bins * bins; ++cell) {
        float sum = 0;
        for (int64_t i = 0; i < samples * samples; ++i, ++sample)
          for (int corner = 0; corner < 4; ++corner)
            sum += sample->weight[corner] * plane[sample->pixel[corner]];
        *out++ = sum / (samples * samples);
      }
    }
  }
  return result;
}

// The samples are worked out anew for every element of the gradient.
torch::Tensor roi_align_backward(const torch::Tensor& gradient, const torch::Tensor& rois,
                                 std::vector<int64_t> shape, double scale, int64_t bins,
                                 int64_t samples) {
  const auto grad = gradient.contiguous(), boxes = rois.contiguous();
  auto result = torch::zeros(shape, gradient.options());
  const int64_t channels = shape[1], height = shape[2], width = shape[3];
  const float* value = grad.data_ptr<float>();
  for (int64_t index = 0; index < grad.numel(); ++index) {
    const int64_t column = index % bins, row = index / bins % bins;
    const int64_t c = index / bins / bins % channels, k = index / bins / bins / channels;
    const Grid roi(boxes.data_ptr<float>() + 5 * k, scale, bins, samples);
    float* plane = result.data_ptr<float>() + (roi.image * channels + c) * height * width;
    for (int64_t iy = 0; iy < samples; ++iy)
      for (int64_t ix = 0; ix < samples; ++ix) {
        const Sample sample = roi.at(row, column, iy, ix, height, width);
        for (int corner = 0; corner < 4; ++corner)
          plane[sample.pixel[corner]] += value[index] * sample.weight[corner] / (samples * samples);
      }
  }
  return result;
}

// Every pixel asks every point, keeps the nearest in z, and composites them from front to back.
torch::Tensor splat_points(const torch::Tensor& points, const torch::Tensor& features, int64_t size,
                           double radius, int64_t most) {
  const int64_t batch = features.size(0), channels = features.size(1), n = features.size(2);
  auto out = torch::zeros({batch, channels, size, size});
  const auto p = points.accessor<float, 3>();
  const auto f = features.accessor<float, 3>();
  auto o = out.accessor<float, 4>();
  const float r2 = radius * radius;
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t y = 0; y < size; ++y) {
      for (int64_t x = 0; x < size; ++x) {
        std::priority_queue<std::tuple<float, int64_t, float>> queue;
        for (int64_t i = 0; i < n; ++i) {
          if (p[b][i][2] < 0) continue;
          const float dx = p[b][i][0] - x, dy = p[b][i][1] - y, d2 = dx * dx + dy * dy;
          if (d2 >= r2) continue;
          queue.emplace(p[b][i][2], i, d2);
          if (static_cast<int64_t>(queue.size()) > most) queue.pop();
        }
        std::vector<std::tuple<float, int64_t, float>> near(queue.size());
        for (auto place = near.rbegin(); place != near.rend(); ++place) {
          *place = queue.top();
          queue.pop();
        }
        float through = 1;
        for (const auto& [z, i, d2] : near) {
          const float alpha = 1 - std::sqrt(std::max(d2 / r2, 1e-3f));
          for (int64_t c = 0; c < channels; ++c) o[b][c][y][x] += through * alpha * f[b][c][i];
          through *= 1 - alpha;
        }
      }
    }
  }
  return out;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  module.def("nms", &nms);
  module.def("splat_points", &splat_points);
  module.def("roi_align", &roi_align);
  module.def("roi_align_backward", &roi_align_backward);
}
