#include "perf_demo/plot.h"

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "ipc_util/internal/status_macros.h"
#include "ipc_util/status.h"
#include "perf_demo/program.h"
#include "perf_demo/write_file.h"

namespace cache_demo {
namespace {

constexpr absl::Duration kDrawTime = absl::Minutes(1);

// Lines differ by shade, dashes and marks, so that they are told apart without colour.
constexpr absl::string_view kScript = R"gnuplot(# Draws plot.png and plot.svg from results.tsv:
#   gnuplot -c plot.gnuplot [FOLDER]

folder = ARGC > 0 ? ARG1 : "."
set encoding utf8
set datafile separator "\t"
data = folder."/results.tsv"

modes = "socket heap classic jemalloc"
# How many points a mode has; without any it gets no place in the legend. Asked before the axes are logarithmic.
array points[4]
do for [i = 1:4] {
  stats data using (strcol("mode") eq word(modes, i) ? 1 : 0) nooutput
  points[i] = STATS_sum
}
point(mode) = strcol("mode") eq mode && column("bytes") > 0 ? column("p50_ns") : NaN

set title "From asking for a file to comparing its first hash" font ",15"
set xlabel "size of the file (1 MB is 1 000 000 bytes)"
set ylabel "time of a round trip (p50)"
set logscale xy
set xrange [] noextend
set offsets graph 0.04, graph 0.04, graph 0.06, graph 0.06
set xtics ("1 B" 1, "10 B" 10, "100 B" 100, "1 KB" 1e3, "10 KB" 1e4, "100 KB" 1e5, "1 MB" 1e6, "10 MB" 1e7, \
           "100 MB" 1e8, "1 GB" 1e9, "10 GB" 1e10, "100 GB" 1e11)
set ytics ("100 ns" 1e2, "1 µs" 1e3, "10 µs" 1e4, "100 µs" 1e5, "1 ms" 1e6, \
           "10 ms" 1e7, "100 ms" 1e8, "1 s" 1e9, "10 s" 1e10, "100 s" 1e11)
set grid xtics ytics linecolor rgb "#d8d8d8" linetype 1 linewidth 1
set border 3
set tics nomirror
set key top left reverse Left samplen 5 spacing 1.3

array label[4] = ["Cap'n Proto over a Unix socket", "session, no shared memory (heap)", "session, classic arena", \
                  "session, jemalloc arena"]
array colour[4] = ["#b2182b", "#ef8a62", "#2166ac", "#053061"]
array mark[4] = [5, 4, 7, 8]
array marksize[4] = [1.3, 1.3, 1.1, 2.2]
array dashes[4] = [1, 2, 1, 4]

do for [form = 1:2] {
  if (form == 1) { set terminal pngcairo size 1200,750 font "DejaVu Sans,13" }
  if (form == 2) { set terminal svg size 900,560 font "DejaVu Sans,12" background "#ffffff" }
  set output folder.(form == 1 ? "/plot.png" : "/plot.svg")
  plot for [i = 1:4] data using (column("bytes")):(point(word(modes, i))) with linespoints \
       title points[i] > 0 ? label[i] : "" \
       linecolor rgb colour[i] linewidth 2.5 dashtype dashes[i] pointtype mark[i] pointsize marksize[i]
}
)gnuplot";

}  // namespace

absl::Status DrawPlot(const std::string& folder) {
  const std::string script = folder + "/plot.gnuplot";
  SLUICE_RETURN_IF_ERROR(WriteFile(script, kScript));
  SLUICE_ASSIGN_OR_RETURN(Program gnuplot, Program::Start("gnuplot", {"-c", script, folder}));
  const absl::Status drawn = gnuplot.Wait(kDrawTime);
  if (absl::IsUnavailable(drawn)) {
    return absl::UnavailableError("there is no gnuplot to draw the plot with; install it (Debian: gnuplot-nox)");
  }
  return ipc::WithContext(drawn, "draw the plot");
}

}  // namespace cache_demo
