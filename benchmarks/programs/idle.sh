# Says that it runs, and waits for the end of its standard input. A file, for bpftrace knows no quotes.
echo ready
read -r line || :
