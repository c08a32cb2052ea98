//! The host's error numbers, each as WASI has it.

#[path = "../../src/host_errno.rs"]
mod host_errno;

use std::io;

use wasmer_wasix::wasmer_wasix_types::wasi::Errno;

/// Linux's numbers from 1 on, and what preview 1 calls the same. What isn't here has no name there.
const NUMBERS: [(i32, u16); 75] = [
    (1, 63),
    (2, 44),
    (3, 71),
    (4, 27),
    (5, 29),
    (6, 60),
    (7, 1),
    (8, 45),
    (9, 8),
    (10, 12),
    (11, 6),
    (12, 48),
    (13, 2),
    (14, 21),
    (16, 10),
    (17, 20),
    (18, 75),
    (19, 43),
    (20, 54),
    (21, 31),
    (22, 28),
    (23, 41),
    (24, 33),
    (25, 59),
    (26, 74),
    (27, 22),
    (28, 51),
    (29, 70),
    (30, 69),
    (31, 34),
    (32, 64),
    (33, 18),
    (34, 68),
    (35, 16),
    (36, 37),
    (37, 46),
    (38, 52),
    (39, 55),
    (40, 32),
    (42, 49),
    (43, 24),
    (67, 47),
    (71, 65),
    (72, 36),
    (74, 9),
    (75, 61),
    (84, 25),
    (88, 57),
    (89, 17),
    (90, 35),
    (91, 67),
    (92, 50),
    (93, 66),
    (95, 58),
    (97, 5),
    (98, 3),
    (99, 4),
    (100, 38),
    (101, 40),
    (102, 39),
    (103, 13),
    (104, 15),
    (105, 42),
    (106, 30),
    (107, 53),
    (110, 73),
    (111, 14),
    (113, 23),
    (114, 7),
    (115, 26),
    (116, 72),
    (122, 19),
    (125, 11),
    (130, 62),
    (131, 56),
];

#[test]
fn each_number_of_linux_is_the_one_that_wasi_calls_the_same() {
    for number in 1..=133 {
        let known = NUMBERS.iter().find(|(host, _)| *host == number);
        let expected = known.map_or(29, |(_, wasi)| *wasi);
        let told = host_errno::of_files(io::Error::from_raw_os_error(number));
        assert_eq!(told as u16, expected, "{number}: {told:?}");
    }
    // WASI's own are the only ones that Linux never says.
    let said: Vec<u16> = NUMBERS.iter().map(|(_, wasi)| *wasi).collect();
    for wasi in 1..=75 {
        assert!(said.contains(&wasi), "{wasi}");
    }
}

#[test]
fn an_error_without_a_number_is_told_by_its_kind() {
    let told = |kind: io::ErrorKind| host_errno::of_files(kind.into());
    assert_eq!(told(io::ErrorKind::StorageFull), Errno::Nospc);
    assert_eq!(told(io::ErrorKind::NotADirectory), Errno::Notdir);
    assert_eq!(told(io::ErrorKind::WouldBlock), Errno::Again);
    assert_eq!(host_errno::of(&io::ErrorKind::Other.into()), None);
}
