//! A server that runs modules for several tenants at once.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;

use crate::example;

const REQUESTS: usize = 12;

/// Sends all requests at once and returns the answers, in their order.
fn answers(scope: &str, lines: &[String]) -> Vec<String> {
    let tenants = tempfile::tempdir().unwrap();
    for tenant in ["a", "b"] {
        fs::create_dir(tenants.path().join(tenant)).unwrap();
        fs::write(tenants.path().join(tenant).join(tenant), tenant).unwrap();
    }
    fs::write(tenants.path().join("file"), "of the server").unwrap();
    let mut server = Command::new(example("server"))
        .args([
            "--scope",
            scope,
            "--requests",
            &lines.len().to_string(),
            "--tenants",
        ])
        .arg(tenants.path())
        .env_remove("WASIX_LANDLOCK")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    let address = first.trim().strip_prefix("listening on ").unwrap();

    // All are connected before the first one asks.
    let connections: Vec<_> = lines
        .iter()
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let answers = thread::scope(|scope| {
        let running: Vec<_> = connections
            .into_iter()
            .zip(lines)
            .map(|(mut connection, line)| {
                scope.spawn(move || {
                    writeln!(connection, "{line}").unwrap();
                    let mut answer = String::new();
                    connection.read_to_string(&mut answer).unwrap();
                    answer
                })
            })
            .collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(server.wait().unwrap().success());
    answers
}

fn each_tenant_reads_its_own(scope: &str) {
    let tenant = |number: usize| ["a", "b"][number % 2];
    let lines: Vec<_> = (0..REQUESTS)
        .map(|number| {
            let (own, other) = (tenant(number), tenant(number + 1));
            format!(
                "{own} read data/{own} -- read data/../{other}/{other} -- read data/{other} -- read ../file -- create \
                 data/new"
            )
        })
        .collect();
    for (number, answer) in answers(scope, &lines).iter().enumerate() {
        let lines: Vec<_> = answer.lines().collect();
        assert_eq!(lines.len(), 6, "{answer}");
        assert_eq!(lines[0], format!("read data/{0}\tok", tenant(number)));
        for refused in &lines[1..5] {
            assert!(refused.contains("\trefused: "), "{answer}");
        }
        assert_eq!(lines[5], "exit code 0");
    }
}

#[test]
fn each_tenant_of_many_instances_at_once_reads_its_own() {
    each_tenant_reads_its_own("instance");
}

#[test]
fn each_tenant_in_one_restricted_process_reads_its_own() {
    each_tenant_reads_its_own("process");
}

#[test]
fn a_request_that_names_no_tenant_runs_nothing() {
    for scope in ["instance", "process"] {
        let lines = ["c read data/file", "../a read data/a", ""].map(str::to_owned);
        assert_eq!(answers(scope, &lines), ["not understood\n"; 3]);
    }
}
