//! What a viewer costs, counted: calls of write, and instructions for each time that it is woken.
//!
//! The server's own connections run in memory, under a time that goes on when all is done: so the counts are the same
//! on every run, and the kernel's part is in none of them. `cargo bench -p srs-server --bench count` prints the table
//! and fails where a count is above its limit; with `-- --test` it counts the writes alone, for few viewers.
//! Instructions are counted by callgrind: every row runs twice, for `SECONDS` of the stream and twice as many, and the
//! difference counts, so that what is done once does not matter.

mod peer;
mod run;
mod source;

use std::process::{Command, ExitCode};

use run::{Case, Form, Totals};

/// Stream time whose cost is counted: a group of pictures, so that each has as much of all.
const SECONDS: u32 = 2;
const VIEWERS: usize = 1_000;
/// For the check that it runs at all.
const FEW: usize = 20;

/// A case, and what it may cost.
struct Row {
    name: &'static str,
    case: Case,
    /// Of write, for each viewer and second.
    most_writes: f64,
    /// For each viewer and wake, where the code is x86-64's in release: some 10 % more than it took when
    /// this was last set.
    most_instructions: f64,
}

/// 68 messages come in a second, 25 of video and 43 of audio; some at the same moment.
const ROWS: [Row; 6] = [
    row("RTMP, merged for 350 ms", Form::Rtmp, 350, 2.9, 3_000.0),
    row("RTMP, merged for 40 ms", Form::Rtmp, 40, 25.1, 2_100.0),
    row("RTMP, every message", Form::Rtmp, 0, 68.5, 2_430.0),
    row("HTTP-FLV, merged for 350 ms", Form::Flv, 350, 2.9, 2_870.0),
    row("HTTP-FLV, merged for 40 ms", Form::Flv, 40, 25.1, 1_950.0),
    row("HTTP-FLV, every message", Form::Flv, 0, 68.5, 2_300.0),
];

const fn row(
    name: &'static str,
    form: Form,
    window_ms: u64,
    most_writes: f64,
    most_instructions: f64,
) -> Row {
    Row { name, case: Case { form, window_ms }, most_writes, most_instructions }
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|a| !a.starts_with("--b")).collect();
    match arguments.as_slice() {
        [name, seconds] => {
            let row = ROWS.iter().find(|row| row.name == name);
            if let (Some(row), Ok(seconds)) = (row, seconds.parse()) {
                run::run(row.case, VIEWERS, seconds);
            }
            ExitCode::SUCCESS
        }
        [] => table(),
        _ => {
            let is_good = ROWS.iter().all(|row| within(row, writes(row, FEW)));
            if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

fn table() -> ExitCode {
    println!(
        "{:32}{:>14}{:>14}{:>26}",
        "for each viewer", "writes/s", "at most", "instructions per wake"
    );
    let mut is_good = true;
    for row in &ROWS {
        let writes = writes(row, VIEWERS);
        let Some(instructions) = instructions(row.name) else {
            eprintln!("valgrind is needed, and did not run this to the end");
            return ExitCode::FAILURE;
        };
        // Each write is made by one wake.
        let wakes = writes * f64::from(SECONDS) * VIEWERS as f64;
        let each = instructions / wakes;
        println!(
            "{:32}{writes:>14.2}{:>14.1}{each:>16.0} of {:.0}",
            row.name, row.most_writes, row.most_instructions
        );
        is_good &= within(row, writes);
        if cfg!(target_arch = "x86_64") && each > row.most_instructions {
            eprintln!("{}: {each:.0} instructions, {} at most", row.name, row.most_instructions);
            is_good = false;
        }
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Calls of write for each viewer and second, who gets the whole stream by them.
fn writes(row: &Row, viewers: usize) -> f64 {
    let (short, long) =
        (run::run(row.case, viewers, SECONDS), run::run(row.case, viewers, 2 * SECONDS));
    let more = |of: fn(&Totals) -> u64| (of(&long) - of(&short)) as f64 / viewers as f64;
    let (bytes, sent) = (more(|totals| totals.bytes), long.sent - short.sent);
    assert!(bytes >= sent as f64, "{}: {bytes} bytes to each viewer of {sent}", row.name);
    more(|totals| totals.writes) / f64::from(SECONDS)
}

fn within(row: &Row, writes: f64) -> bool {
    let is_within = writes <= row.most_writes;
    if !is_within {
        eprintln!("{}: {writes:.2} writes per second, {} at most", row.name, row.most_writes);
    }
    is_within
}

/// Of the whole process, for what [`SECONDS`] more of the stream take.
fn instructions(name: &str) -> Option<f64> {
    let total = |seconds: u32| -> Option<f64> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().ok()?)
            .args([name, &seconds.to_string()])
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text.lines().find(|line| line.contains("Collected :"))?;
        line.split_whitespace().last()?.parse().ok()
    };
    Some(total(2 * SECONDS)? - total(SECONDS)?)
}
