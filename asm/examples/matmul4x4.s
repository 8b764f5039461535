; matmul4x4.s: C = A x B for two 4 x 4 matrices of bytes, on the smallest machine. docs/assembly.md walks through it.
.machine tiny

.equ    rows, 4
.equ    a_ub, 0                         ; A in the unified buffer: 4 rows of 4 bytes
.equ    c_ub, 64                        ; C in the unified buffer: 4 rows of 4 sums

.input  "a", a_host, u8, rows, 4, element="uint8"
.output "c", c_host, s32, rows, 4, element="int32"
.layer  "matmul4x4", "MatMul", "4x4 -> 4x4", macs=64

.weights                                ; B, row by row: 4 rows (k) of 4 columns (n)
b:      .s8 1, 0, 0, 1
        .s8 0, 2, 0, 1
        .s8 0, 0, 3, 1
        .s8 0, 0, 0, 1

.data 0                                 ; what the host holds: A, and room for C
a_host: .u8 1, 2, 3, 4
        .u8 5, 6, 7, 8
        .u8 9, 10, 11, 12
        .u8 13, 14, 15, 16
        .align 64
c_host: .fill rows * 4, 0, s32

.text
        tag "matmul4x4"
        read_weights dram=b, k=4, n=4, fmt=s8
        read_host ub=a_ub, host=a_host, bytes=rows * 4
        matmul ub=a_ub, stride=4, rows=rows, acc=0, fmt=u8, next
        set p0.base, c_ub               ; p0: row r of C begins at c_ub + 16 r
        set p0.loop0, rows, 16
        activate acc=0, d=p0, rows=rows, lanes=4, fmt=s32, raw
        write_host ub=c_ub, host=c_host, bytes=rows * 16
        halt
