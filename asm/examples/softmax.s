; softmax.s: the softmax of 3 rows of 5 reals, in fp32, with vector instructions alone.
.machine tiny

.equ    rows, 3
.equ    lanes, 5
.equ    pitch, 32                       ; bytes from row to row
.equ    x, 0                            ; rows of reals, and what becomes of them
.equ    m, 128                          ; the maximum of each row, then 1 / sum

.input  "x", 0, f32, rows, lanes, strides=[pitch, 4]
.output "y", 128, f32, rows, lanes, strides=[pitch, 4]
.layer  "softmax", "Softmax", "3x5", wait="vector unit"
.host   256

.text
        tag 0
        read_host ub=x, host=0, bytes=rows * pitch
        set p0.base, x                  ; p0: the rows
        set p0.loop0, rows, pitch
        set p1.base, m                  ; p1: one number a row, for `reduce` to write
        set p1.loop0, rows, 4
        set p2.base, m                  ; p2: the same number in every lane: lanes are runs of 1, 0 bytes apart
        set p2.loop0, rows, 4
        set p2.run, 1, 0
        reduce d=p1, a=p0, reduce=max, rows=rows, lanes=lanes, fmt_a=f32, fmt=f32
        sub d=p0, a=p0, b=p2, rows=rows, lanes=lanes, fmt_a=f32, fmt_b=f32, fmt=f32, func=exp
        reduce d=p1, a=p0, reduce=sum, rows=rows, lanes=lanes, fmt_a=f32, fmt=f32, func=recip
        mul d=p0, a=p0, b=p2, rows=rows, lanes=lanes, fmt_a=f32, fmt_b=f32, fmt=f32
        write_host ub=x, host=128, bytes=rows * pitch
        halt
