; relu-layer.s: one fully connected layer, int8, with bias, requantisation and relu, two inputs at a time.
; out = clamp(round(relu((sum of a x w + bias) x 0.25)) + 3)
.machine tiny

.equ    batch, 2
.equ    a_ub, 0x000
.equ    bias_ub, 0x100
.equ    out_ub, 0x200

.input  "x", x, s8, batch, 8, element="int8"
.output "y", y, u8, batch, 8, scale=0.5, zero=3
.layer  "fc", "Gemm", "2x8 -> 2x8", macs=128

.weights
w:      .fill 64, 1, s8                 ; every output is the sum of the inputs

.data
bias:   .s32 0, 4, 8, 12, -4, -8, -12, 100
x:      .s8 1, 2, 3, 4, 5, 6, 7, 8
        .s8 -1, -2, -3, -4, -5, -6, -7, -8
        .align 32
y:      .fill batch * 8

.text
        tag "fc"
        read_host ub=bias_ub, host=bias, bytes=32
        read_host ub=a_ub, host=x, bytes=batch * 8
        read_weights dram=w, k=8, n=8
        matmul ub=a_ub, stride=8, rows=batch, acc=0, fmt=s8, next
        set p1.base, out_ub
        set p1.loop0, batch, 8
        set v.bias, bias_ub, 8          ; 8 biases, one a lane
        set v.a, 0.25                   ; scale of the accumulator
        set v.out, 1, 3                 ; scale and zero point of the result
        set v.clamp, 0, 255
        activate acc=0, d=p1, rows=batch, lanes=8, fmt=u8, func=relu, bias
        write_host ub=out_ub, host=y, bytes=batch * 8
        sync 1
        halt
