FROM scratch
ARG a=1
ARG b=${a}2 c
ENV x=$a y=$b z=[$c]
