//! Measures servers side by side, and writes the page about it.

mod case;
mod chart;
mod child;
mod data;
mod goals;
mod janus;
mod measure;
mod page;
mod sample;
mod server;
mod table;

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, value_parser};

use case::{GROUPS, Group, Plan};
use child::Cores;
use data::{About, Data};
use measure::Bench;
use server::{SERVERS, Server};
use table::rows;

#[derive(Debug, Args)]
pub(crate) struct ReportOptions {
    /// Fewer clients, shorter and only once
    #[arg(long)]
    quick: bool,
    /// The page to write; a chart is written beside it
    #[arg(long, default_value = "PERFORMANCE.md")]
    out: PathBuf,
    /// Keeps what was measured, so that a later run goes on from there [default: beside the page]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Measure these groups of cases alone, such as rtmp-play-350,join
    #[arg(long, value_delimiter = ',', value_parser = group_name)]
    only: Vec<String>,
    /// Measure these servers alone
    #[arg(long, value_delimiter = ',', value_parser = server_name)]
    servers: Vec<String>,
    /// Measure with these numbers of clients
    #[arg(long, value_delimiter = ',', value_parser = value_parser!(u32).range(1..=15_000))]
    clients: Vec<u32>,
    /// How often each measurement is made
    #[arg(long, value_parser = value_parser!(u32).range(1..=100))]
    repeat: Option<u32>,
    /// Seconds that are measured
    #[arg(long, value_parser = value_parser!(u64).range(1..=120))]
    steady: Option<u64>,
    /// Seconds before that, with all clients there
    #[arg(long, value_parser = value_parser!(u64).range(1..=60))]
    warmup: Option<u64>,
    /// Have all players but each twentieth rest so many milliseconds between their reads, where
    /// the load has too few cores; TCP then merges what servers without TCP_NODELAY write
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u64).range(0..=1_000))]
    rest_ms: u64,
    /// Make measurements anew that have been made
    #[arg(long)]
    again: bool,
    /// Measure nothing: write the page of what has been measured
    #[arg(long)]
    render: bool,
}

fn group_name(name: &str) -> Result<String, String> {
    let names: Vec<_> = GROUPS.iter().map(|group| group.name).collect();
    match names.contains(&name) {
        true => Ok(name.to_owned()),
        false => Err(format!("one of {}", names.join(", "))),
    }
}

fn server_name(name: &str) -> Result<String, String> {
    let names = SERVERS.map(Server::name);
    match names.contains(&name) {
        true => Ok(name.to_owned()),
        false => Err(format!("one of {}", names.join(", "))),
    }
}

/// Percent of CPU that measurements may differ by from their middle before one more is made.
const MAX_SPREAD: f64 = 4.0;

/// A server that is there, and its program.
type Installed = (Server, PathBuf);

/// Something to measure, with one server, once.
#[derive(Debug)]
struct Turn<'a> {
    group: &'static Group,
    clients: u32,
    repeat: u32,
    installed: &'a Installed,
}

/// Measures what is missing, and writes the page.
pub(crate) fn run(options: &ReportOptions) -> Result<(), Box<dyn Error + Send + Sync>> {
    let path = options.data.clone().unwrap_or_else(|| options.out.with_extension("json"));
    let mut data = Data::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    if !options.render {
        measure(options, &mut data, &path)?;
    }
    let chart = options.out.with_extension("svg");
    let name = chart.file_name().unwrap_or_default().to_string_lossy().into_owned();
    fs::write(&options.out, page::render(&data, &name))?;
    fs::write(&chart, chart::render(&data))?;
    eprintln!("{} and {} are written", options.out.display(), chart.display());
    Ok(())
}

fn measure(
    options: &ReportOptions,
    data: &mut Data,
    path: &Path,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let load = std::env::current_exe()?;
    let bin = load.parent().unwrap_or(Path::new(".")).to_owned();
    let wanted = |server: &Server| {
        options.servers.is_empty() || options.servers.iter().any(|name| name == server.name())
    };
    let installed: Vec<_> = SERVERS
        .into_iter()
        .filter(wanted)
        .filter_map(|server| match server.find(&bin) {
            Some(program) => Some((server, program)),
            None => {
                eprintln!("{} is not installed, and is left out", server.name());
                None
            }
        })
        .collect();
    if installed.is_empty() {
        return Err("no server to measure is installed".into());
    }
    let plan = plan(options);
    child::end_all_on_signals()?;
    let bench = Bench::new(load, plan, options.rest_ms)?;
    if bench.cores.count() < 2 {
        eprintln!("there is one core alone: server and load share it");
    }
    let mut turns = turns_of_all(options, plan, &installed);
    if !options.again {
        turns.retain(is_missing(data));
    }
    let versions = installed
        .iter()
        .map(|(server, program)| (server.name().to_owned(), server.version(program)));
    let versions: BTreeMap<_, _> = versions.filter(|(_, version)| !version.is_empty()).collect();
    data.about = About::now(Cores::all()?.count(), versions);
    take(&bench, &turns, data, path)?;
    // Two that differ are no measurement yet.
    let mut more = imprecise(&turns_of_all(options, plan, &installed), data);
    if !options.again {
        more.retain(is_missing(data));
    }
    take(&bench, &more, data, path)
}

fn is_missing(data: &Data) -> impl Fn(&Turn<'_>) -> bool {
    |Turn { group, clients, repeat, installed }| {
        !data.has(group.name, *clients, installed.0.name(), *repeat)
    }
}

/// Makes these measurements, and keeps each.
fn take(
    bench: &Bench,
    turns: &[Turn<'_>],
    data: &mut Data,
    path: &Path,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let left = |turns: &[Turn<'_>]| -> Duration {
        turns.iter().map(|turn| bench.plan.duration(turn.group.kind, turn.clients)).sum()
    };
    let count = turns.len();
    for (number, turn) in turns.iter().enumerate() {
        let Turn { group, clients, repeat, installed: (server, program) } = turn;
        let minutes = left(&turns[number..]).as_secs_f64() / 60.0;
        eprint!(
            "{:>3}/{count}, {minutes:.1} min left: {} {clients} {}",
            number + 1,
            group.name,
            server.name()
        );
        match bench.measure(group, *clients, *server, program) {
            Ok(mut measurement) => {
                measurement.repeat = *repeat;
                let faults = measurement.faults.join(", ");
                eprintln!(": {:.1} % CPU {faults}", measurement.cpu);
                data.add(measurement);
                data.write(path)?;
            }
            Err(error) => eprintln!(": {error}"),
        }
    }
    Ok(())
}

/// One more turn for each of these that has been taken several times and differs by too much.
fn imprecise<'a>(turns: &[Turn<'a>], data: &Data) -> Vec<Turn<'a>> {
    let is_imprecise = |turn: &&Turn<'a>| {
        rows(data, turn.group)
            .iter()
            .find(|row| row.clients == turn.clients && row.server == turn.installed.0.name())
            .and_then(|row| row.cpu()?.spread())
            .is_some_and(|spread| spread > MAX_SPREAD)
    };
    let lasts = turns.iter().map(|turn| turn.repeat).max();
    turns
        .iter()
        .filter(|turn| Some(turn.repeat) == lasts)
        .filter(is_imprecise)
        .map(|turn| Turn { repeat: turn.repeat + 1, ..*turn })
        .collect()
}

fn plan(options: &ReportOptions) -> Plan {
    let mut plan = Plan::of(options.quick);
    let seconds = |given: Option<u64>, default| given.map_or(default, Duration::from_secs);
    plan.warmup = seconds(options.warmup, plan.warmup);
    plan.steady = seconds(options.steady, plan.steady);
    plan.repeat = options.repeat.unwrap_or(plan.repeat);
    plan
}

/// All measurements in their order: the servers take turns, so that whatever the machine does
/// beside it meets them all.
fn turns_of_all<'a>(
    options: &ReportOptions,
    plan: Plan,
    installed: &'a [Installed],
) -> Vec<Turn<'a>> {
    let mut turns = Vec::new();
    let wanted = |group: &&Group| {
        options.only.is_empty() || options.only.iter().any(|name| name == group.name)
    };
    for group in GROUPS.iter().filter(wanted) {
        let clients = match options.clients[..] {
            [] => group.clients(options.quick),
            ref given => given,
        };
        for &clients in clients {
            for repeat in 0..plan.repeat {
                let able = installed
                    .iter()
                    .filter(|(server, _)| server.does(group.kind) && clients <= server.most());
                turns.extend(able.map(|installed| Turn { group, clients, repeat, installed }));
            }
        }
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: ReportOptions,
    }

    fn options(line: &str) -> ReportOptions {
        Line::try_parse_from(line.split_ascii_whitespace()).unwrap().options
    }

    #[test]
    fn servers_take_turns() {
        let installed = [
            (Server::Ours, PathBuf::new()),
            (Server::NginxRtmp, PathBuf::new()),
            (Server::Limit, PathBuf::new()),
        ];
        let options = options("report --only rtmp-play-0,two-cores --clients 7 --repeat 2 --quick");
        let turns: Vec<_> = turns_of_all(&options, plan(&options), &installed)
            .iter()
            .map(|turn| (turn.group.name, turn.repeat, turn.installed.0.name()))
            .collect();
        assert_eq!(
            turns,
            [
                ("rtmp-play-0", 0, "srs-server"),
                ("rtmp-play-0", 0, "nginx-rtmp"),
                ("rtmp-play-0", 0, "limit"),
                ("rtmp-play-0", 1, "srs-server"),
                ("rtmp-play-0", 1, "nginx-rtmp"),
                ("rtmp-play-0", 1, "limit"),
                ("two-cores", 0, "srs-server"),
                ("two-cores", 1, "srs-server"),
            ]
        );
    }

    #[test]
    fn nobody_has_more_clients_than_it_can() {
        let installed = [(Server::Ours, PathBuf::new()), (Server::Janus, PathBuf::new())];
        let options = options("report --only rtc-play,rtc-two-cores --repeat 1");
        let turns: Vec<_> = turns_of_all(&options, plan(&options), &installed)
            .iter()
            .map(|turn| (turn.group.name, turn.clients, turn.installed.0))
            .collect();
        let one = "rtc-play";
        assert_eq!(
            turns,
            [
                (one, 100, Server::Ours),
                (one, 100, Server::Janus),
                (one, 200, Server::Ours),
                (one, 200, Server::Janus),
                (one, 500, Server::Ours),
                (one, 1000, Server::Ours),
                ("rtc-two-cores", 1000, Server::Ours),
            ]
        );
    }

    #[test]
    fn measurements_that_differ_are_made_once_more() {
        let installed = [(Server::Ours, PathBuf::new()), (Server::Limit, PathBuf::new())];
        let options = options("report --only rtmp-play-0 --clients 7 --repeat 2");
        let turns = turns_of_all(&options, plan(&options), &installed);
        let mut data = Data::default();
        for (server, repeat, cpu) in
            [("srs-server", 0, 10.0), ("srs-server", 1, 12.0), ("limit", 0, 9.0), ("limit", 1, 9.1)]
        {
            data.add(data::Measurement {
                group: "rtmp-play-0".to_owned(),
                server: server.to_owned(),
                clients: 7,
                repeat,
                cpu,
                ..data::Measurement::default()
            });
        }
        let more = imprecise(&turns, &data);
        let more: Vec<_> = more.iter().map(|turn| (turn.installed.0, turn.repeat)).collect();
        assert_eq!(more, [(Server::Ours, 2)]);
    }

    #[test]
    fn names_that_nobody_knows_are_refused() {
        for line in ["report --only rtmp", "report --servers nobody"] {
            assert!(Line::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
