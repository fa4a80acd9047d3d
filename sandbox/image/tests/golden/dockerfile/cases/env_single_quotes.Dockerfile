FROM scratch
ENV x=1
ENV a='$x' b="'$x'" c='"$x"' d=\'$x\'
