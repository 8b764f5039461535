; convolve.s: a 3 x 3 convolution of a 4 x 4 picture with 1 channel to 2 channels, without copying a pixel.
; Row r of the product is the window at output pixel r; its 9 lanes are runs of 3 bytes. A tile has 8 rows at most, so two tiles.
.machine tiny

.equ    width, 4
.equ    image, 0
.equ    out, 64

.input  "image", pixels, u8, 4, width, element="uint8"
.output "out", result, s32, 4, 2, element="int32"
.layer  "conv", "Conv", "1x4x4 -> 2x2x2, 3x3", macs=72

.weights
w_low:  .s8 1, 0,  1, 0,  1, 0,  1, 0,  1, 1,  1, 0,  1, 0,  1, 0   ; lanes 0 to 7: a sum, and the middle
w_high: .s8 1, 0                                                    ; lane 8

.data
pixels: .u8 0, 1, 2, 3
        .u8 4, 5, 6, 7
        .u8 8, 9, 10, 11
        .u8 12, 13, 14, 15
        .align 32
result: .fill 8, 0, s32

.text
        tag "conv"
        read_host image, pixels, 16
        read_weights w_low, k=8, n=2
        read_weights w_high, k=1, n=2
        set p0.base, image
        set p0.loop0, 2, 1              ; output columns: one pixel on
        set p0.loop1, 2, width          ; output rows: one line on
        set p0.run, 3, width            ; 3 lanes, then the line below
        convolve a=p0, rows=4, acc=0, fmt=u8, next
        convolve a=p0, rows=4, first_lane=8, acc=0, fmt=u8, next, accumulate
        set p1.base, out
        set p1.loop0, 4, 8
        activate 0, p1, 4, 2, fmt=s32, raw
        write_host out, result, 32
        halt
