FROM scratch
ENV one=1 two="2 2" three='3 $one' four=f\ our
ENV old form with   blanks
ENV quoted "in old form"
ENV five=$one$two six=${one}x seven=${none:-default} eight=${one:+set} nine=${none:+set}
ENV ten=\$one eleven="\"q\"" twelve=a"b"c'd'
ENV thirteen= fourteen=""
