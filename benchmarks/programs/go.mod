module systrace.benchmarks

go 1.19
