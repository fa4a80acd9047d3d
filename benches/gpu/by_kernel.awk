# Sums a file of `ncu --metrics gpu__time_duration.sum --csv` by kernel: nanoseconds, launches, kernel.
BEGIN { FS = "\",\"" }
/^"ID"/ { for (i = 1; i <= NF; i++) { if ($i == "Kernel Name") kernel = i; if ($i ~ /^Metric Value/) value = i } next }
kernel && NF >= value { v = $value; gsub(/[",]/, "", v); sum[$kernel] += v; launches[$kernel]++ }
END { for (k in sum) printf "%14.0f %6d  %s\n", sum[k], launches[k], k }
