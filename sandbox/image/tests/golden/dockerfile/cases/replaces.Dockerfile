FROM scratch
ENV v=a.b.c
ENV a=${v/./_} b=${v//./_}
