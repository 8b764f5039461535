// weft_array.v: ROWS x COLS cells with an active and a shadow weight, skew registers at their edges, and accumulators below.
// The matrix unit of docs/machine.md for 8-bit integers: the witness that the cycles of docs/machine.md are those of a circuit.
//
// What is presented in cycle t:
//   shift, shift_step, weights   row `ROWS - 1 - shift_step` of a tile, in ROWS cycles one behind the other; column n has it n cycles later
//   swap                         a product starts: the planes change places in cell (k, n) in cycle t + k + n
//   valid, row, overwrite, acts  a row of activations; lane k meets cell (k, 0) in cycle t + k
// and what comes of it: sums[n] with leaving[n] in cycle t + ROWS + n, in which it is put or added into acc row `row`.
//
// Numbers are 9 bits wide and signed, so that both u8 and s8 fit.
module weft_array #(
    parameter ROWS = 4,
    parameter COLS = 4,
    parameter ACC_ROWS = 16,
    parameter ROW_BITS = 4,
    parameter STEP_BITS = 8
) (
    input  wire                   clock,
    input  wire                   shift,
    input  wire [STEP_BITS-1:0]   shift_step,
    input  wire [COLS*9-1:0]      weights,
    input  wire                   swap,
    input  wire                   valid,
    input  wire                   overwrite,
    input  wire [ROW_BITS-1:0]    row,
    input  wire [ROWS*9-1:0]      acts,
    output wire [COLS-1:0]        leaving,
    output wire [COLS*32-1:0]     sums,
    input  wire [ROW_BITS-1:0]    read_row,
    output wire [COLS*32-1:0]     read_sums
);
    // Control at the edge of column 0, and what has moved on from it: element i is i cycles old. Cells look at their own k + n.
    /* verilator lint_off UNUSEDSIGNAL */ // the oldest bits, in arrays of one row or column
    reg [ROWS+COLS-1:0] swap_age;
    always @(posedge clock) swap_age <= {swap_age[ROWS+COLS-2:0], swap};
    wire [ROWS+COLS:0] swap_now = {swap_age, swap};
    /* verilator lint_on UNUSEDSIGNAL */

    wire signed [8:0]  act_of [0:ROWS-1][0:COLS];   // into cell (k, n) from the left
    wire signed [31:0] sum_of [0:ROWS][0:COLS-1];   // into cell (k, n) from above
    wire signed [8:0]  shadow_of [0:ROWS][0:COLS-1];

    genvar k, n, i;
    generate
        // lane k is held back k cycles
        for (k = 0; k < ROWS; k = k + 1) begin : lane
            wire signed [8:0] held [0:k];
            assign held[0] = valid ? acts[k*9 +: 9] : 9'sd0;
            for (i = 1; i <= k; i = i + 1) begin : hold
                reg signed [8:0] register;
                always @(posedge clock) register <= held[i-1];
                assign held[i] = register;
            end
            assign act_of[k][0] = held[k];
        end

        for (n = 0; n < COLS; n = n + 1) begin : column
            // the shift of column n, held back n cycles
            wire               shifts [0:n];
            wire [STEP_BITS-1:0] step [0:n];
            wire signed [8:0]  weight [0:n];
            assign shifts[0] = shift;
            assign step[0] = shift_step;
            assign weight[0] = weights[n*9 +: 9];
            for (i = 1; i <= n; i = i + 1) begin : hold
                reg              a;
                reg [STEP_BITS-1:0] b;
                reg signed [8:0] c;
                always @(posedge clock) begin
                    a <= shifts[i-1];
                    b <= step[i-1];
                    c <= weight[i-1];
                end
                assign shifts[i] = a;
                assign step[i] = b;
                assign weight[i] = c;
            end
            assign shadow_of[0][n] = weight[n];
            assign sum_of[0][n] = 32'sd0;

            for (k = 0; k < ROWS; k = k + 1) begin : cell_
                reg signed [8:0]  active, shadow, act;
                reg signed [31:0] sum;
                wire              swaps = swap_now[k+n];
                wire signed [8:0] weight_now = swaps ? shadow : active; // the first wave of a product meets the new weight
                /* verilator lint_off UNSIGNED */ // true for k = 0
                wire              moves = shifts[n] && step[n] >= k;    // only weights of this shift move
                /* verilator lint_on UNSIGNED */
                always @(posedge clock) begin
                    active <= weight_now;
                    act <= act_of[k][n];
                    sum <= sum_of[k][n] + act_of[k][n] * weight_now;
                    if (moves) shadow <= shadow_of[k][n];
                end
                assign act_of[k][n+1] = act;
                assign sum_of[k+1][n] = sum;
                assign shadow_of[k+1][n] = shadow;
            end

            // whose sum leaves column n: what entered ROWS + n cycles ago
            wire                wave [0:ROWS+n];
            wire                puts [0:ROWS+n];
            wire [ROW_BITS-1:0] to   [0:ROWS+n];
            assign wave[0] = valid;
            assign puts[0] = overwrite;
            assign to[0] = row;
            for (i = 1; i <= ROWS + n; i = i + 1) begin : tag
                reg                a;
                reg                b;
                reg [ROW_BITS-1:0] c;
                initial a = 1'b0;
                always @(posedge clock) begin
                    a <= wave[i-1];
                    b <= puts[i-1];
                    c <= to[i-1];
                end
                assign wave[i] = a;
                assign puts[i] = b;
                assign to[i] = c;
            end
            assign leaving[n] = wave[ROWS+n];
            assign sums[n*32 +: 32] = sum_of[ROWS][n];

            reg [31:0] acc [0:ACC_ROWS-1];
            always @(posedge clock)
                if (wave[ROWS+n]) acc[to[ROWS+n]] <= (puts[ROWS+n] ? 32'd0 : acc[to[ROWS+n]]) + sum_of[ROWS][n];
            assign read_sums[n*32 +: 32] = acc[read_row];
        end
    endgenerate
endmodule
