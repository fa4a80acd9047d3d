FROM scratch
ENV path=/usr/lib/x.tar.gz
ENV a=${path#*/} b=${path##*/} c=${path%.*} d=${path%%.*}
