FROM scratch
ENV empty=
ENV a=${empty-w} b=${empty:-w} c=${none-w} d=${empty+w}
