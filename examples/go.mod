module systrace.example

go 1.19
