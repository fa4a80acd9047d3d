FROM scratch
ENV d=/data
VOLUME ["/a", "/b c"]
VOLUME /d $d/e
