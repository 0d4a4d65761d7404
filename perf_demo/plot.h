// The plot of a run: round trip over size, a line for each mode, both axes logarithmic.

#ifndef SLUICE_PERF_DEMO_PLOT_H_
#define SLUICE_PERF_DEMO_PLOT_H_

#include <string>

#include "absl/status/status.h"

namespace cache_demo {

// Draws `folder`/plot.png and plot.svg from results.tsv there, and leaves plot.gnuplot, by which they can be drawn
// again. UNAVAILABLE: gnuplot is not installed. CANCELLED: as in Program. ABORTED: gnuplot failed; the text has why.
absl::Status DrawPlot(const std::string& folder);

}  // namespace cache_demo

#endif  // SLUICE_PERF_DEMO_PLOT_H_
