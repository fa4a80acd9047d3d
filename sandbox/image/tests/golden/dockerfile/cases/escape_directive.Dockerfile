# escape=`
FROM scratch
ENV a=C:\dir b=`$c
LABEL x=1 `
      y=2
