//! Something for nextpnr to place.

use std::fmt::Write as _;

/// A circuit as Yosys writes it: flip-flops, each with a look-up table of four others.
#[must_use]
pub fn netlist(size: usize) -> String {
    const CLOCK: usize = 2;
    let output = |number: usize| 3 + number % size;
    let input = |number: usize| 3 + size + number;
    let mut cells = Vec::new();
    for number in 0..size {
        let init = if number % 3 == 0 { 0xcafe } else { 0x6996 };
        let from = [number + size - 1, number * 7 + 3, number * 13 + 5, number].map(output);
        let mut ports = String::new();
        let mut directions = String::new();
        for (place, bit) in from.iter().enumerate() {
            write!(ports, "\"I{place}\":[{bit}],").expect("a string takes any text");
            write!(directions, "\"I{place}\":\"input\",").expect("a string takes any text");
        }
        cells.push(format!(
            "\"lut{number}\":{{\"hide_name\":0,\"type\":\"SB_LUT4\",\"parameters\":{{\"LUT_INIT\":\"{init:016b}\"}},\
             \"attributes\":{{}},\"port_directions\":{{{directions}\"O\":\"output\"}},\
             \"connections\":{{{ports}\"O\":[{}]}}}}",
            input(number)
        ));
        cells.push(format!(
            "\"dff{number}\":{{\"hide_name\":0,\"type\":\"SB_DFF\",\"parameters\":{{}},\"attributes\":{{}},\
             \"port_directions\":{{\"C\":\"input\",\"D\":\"input\",\"Q\":\"output\"}},\
             \"connections\":{{\"C\":[{CLOCK}],\"D\":[{}],\"Q\":[{}]}}}}",
            input(number),
            output(number)
        ));
    }
    format!(
        "{{\"creator\":\"benches\",\"modules\":{{\"top\":{{\"attributes\":{{\"top\":\"{:032b}\"}},\
         \"ports\":{{\"clk\":{{\"direction\":\"input\",\"bits\":[{CLOCK}]}},\
         \"out\":{{\"direction\":\"output\",\"bits\":[{}]}}}},\
         \"cells\":{{{}}},\"netnames\":{{}}}}}}}}",
        1,
        output(0),
        cells.join(",")
    )
}
