//! Input larger than memory: what is read value by value takes no more of it than a value does.

#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::process::Stdio;
use std::thread;

use crate::program::Folder;

/// The program and what it holds of one value take far less; the input is several times as much.
const MAX_RSS_KIB: u64 = 40 << 10;
const RECORDS: u64 = 150_000;

/// Records of about 1 KiB. Whoever reads may go.
fn feed(mut to: impl Write, begin: &str, separator: &str, end: &str) {
    let text = "x".repeat(1000);
    let mut chunk = begin.to_owned();
    for n in 0..RECORDS {
        if n > 0 {
            chunk.push_str(separator);
        }
        chunk.push_str(&format!("{{\"n\":{n},\"text\":\"{text}\"}}"));
        if chunk.len() > 1 << 16 {
            if to.write_all(chunk.as_bytes()).is_err() {
                return;
            }
            chunk.clear();
        }
    }
    chunk.push_str(end);
    let _ = to.write_all(chunk.as_bytes());
}

/// The most memory a process has had, as the kernel counts it.
fn max_rss_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Runs a command on a stream, and gives how many bytes it printed.
#[track_caller]
fn stream(
    args: &[&str],
    (begin, separator, end): (&'static str, &'static str, &'static str),
) -> u64 {
    let f = Folder::new();
    f.file(
        "schema.json",
        r#"{"properties":{"n":{"type":"integer"}},"required":["n"]}"#,
    );
    let args: Vec<&str> = std::iter::once("value")
        .chain(args.iter().copied())
        .collect();
    let mut command = f.command(&args);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let process = child.id();
    let stdin = child.stdin.take().unwrap();
    let feeder = thread::spawn(move || feed(stdin, begin, separator, end));
    let mut stdout = child.stdout.take().unwrap();
    let (mut printed, mut most) = (0, 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        most = max_rss_kib(process).unwrap_or(0).max(most);
        match stdout.read(&mut buffer).unwrap() {
            0 => break,
            read => printed += read as u64,
        }
    }
    assert!(child.wait().unwrap().success(), "{args:?}");
    feeder.join().unwrap();
    assert!(most > 0 && most < MAX_RSS_KIB, "{args:?}: {most} KiB");
    printed
}

const LINES: (&str, &str, &str) = ("", "\n", "\n");
const ARRAY: (&str, &str, &str) = ("[", ",\n", "]");

#[test]
fn lines_are_searched_in_constant_memory() {
    assert!(stream(&["query", "--ndjson", "$.n"], LINES) > RECORDS * 5);
    assert!(stream(&["query", "--items", "--count", "$.n"], ARRAY) == 7);
}

#[test]
fn lines_and_arrays_are_converted_in_constant_memory() {
    let lines = stream(&["convert", "--to", "ndjson"], ARRAY);
    assert!(lines > RECORDS * 1000);
    assert_eq!(
        stream(
            &["convert", "--from", "ndjson", "--to", "json", "-c"],
            LINES
        ),
        lines + 2
    );
}

#[test]
fn lines_are_validated_and_described_in_constant_memory() {
    assert!(stream(&["validate", "-s", "schema.json", "--ndjson"], LINES) > 0);
    assert!(stream(&["infer", "--ndjson"], LINES) > 0);
}
