module count(input clk, input reset, output [7:0] leds);
  reg [23:0] value;
  always @(posedge clk)
    if (reset) value <= 0;
    else value <= value + 24'd3;
  assign leds = value[23:16] ^ {8{value[7]}};
endmodule
