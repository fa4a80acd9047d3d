FROM scratch
ENV a=x
ENV b=${none:-${a}} c=${none:-${nope:-y}} d="${none:-with blank}"
