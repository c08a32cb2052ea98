//! The module of a worker has the ports that were granted, and no other.

use std::{
    io::Read as _,
    net::{TcpListener, TcpStream},
    thread,
};

use wasix_landlock_worker::{End, Network, Profile, Request, WorkerStreams};

use crate::common::{Programs, finish, for_both_users};

/// Connects to a port of 127.0.0.1, sends a line, and prints the number of the call that failed, or 0.
fn connects_to(port: u16) -> Vec<u8> {
    let text = include_str!("../../../upstream-tests/command-line/guests/connect.wat");
    let [low, high] = port.to_le_bytes();
    let text = text.replace("\\00PORT", &format!("\\00\\{low:02x}\\{high:02x}"));
    wat::parse_str(text).unwrap()
}

fn tried(programs: &Programs, port: u16, network: Network) -> String {
    let request =
        Request::module(connects_to(port)).profile(Profile::as_without().network(network));
    let worker = programs
        .launcher()
        .spawn(&request, WorkerStreams::piped())
        .unwrap();
    let (outcome, text) = finish(worker);
    assert_eq!(outcome.end, End::Exited(0), "{text}");
    text
}

for_both_users! {
    fn a_granted_port_can_be_connected_to_and_no_other(programs) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let other_port = other.local_addr().unwrap().port();
        assert!(TcpStream::connect(("127.0.0.1", other_port)).is_ok());
        let heard = thread::spawn(move || {
            let mut line = String::new();
            listener.accept().unwrap().0.read_to_string(&mut line).unwrap();
            line
        });
        let granted = tried(programs, port, Network::none().connect(port));
        assert!(granted.starts_with("call 0"), "{granted}");
        assert_eq!(heard.join().unwrap(), "hello\n");
        for network in [Network::none(), Network::none().connect(port)] {
            let refused = tried(programs, other_port, network);
            assert!(!refused.starts_with("call 0"), "{refused}");
        }
    }
}
