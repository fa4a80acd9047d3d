FROM scratch
ENV a=1
ENV b=2
ENV a=3
