//! The picture: how many clients a core carries, by server and case.

use std::fmt::Write as _;

use super::{
    case::Kind,
    data::Data,
    page::thousands,
    server::SERVERS,
    table::{Row, groups, rows},
};

const WIDTH: u32 = 860;
/// Where bars begin and where the longest ends.
const LEFT: u32 = 110;
const RIGHT: u32 = WIDTH - 90;
const BAR: u32 = 16;
const GAP: u32 = 4;
const TITLE: u32 = 30;
const TOP: u32 = 64;

/// Colours that are told apart on white and on black, and by most who see fewer.
const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 17px; font-weight: 600 }
.group { font-weight: 600 }
.name { text-anchor: end; fill: #57606a }
.note { fill: #57606a }
.srs-server { fill: #0969da }
.srs { fill: #8250df }
.nginx-rtmp { fill: #bf8700 }
.janus { fill: #1a7f37 }
.limit { fill: #afb8c1 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.name, .note { fill: #9198a1 }
.srs-server { fill: #4493f8 }
.srs { fill: #ab7df8 }
.nginx-rtmp { fill: #d29922 }
.janus { fill: #3fb950 }
.limit { fill: #656c76 }
}";

/// The bars of a group.
struct Block<'a> {
    title: String,
    bars: Vec<(&'a str, f64)>,
}

pub(super) fn render(data: &Data) -> String {
    let blocks = blocks(data);
    let longest = blocks.iter().flat_map(|block| &block.bars).map(|(_, count)| *count);
    let longest = longest.fold(1.0, f64::max);
    let height = TOP
        + blocks
            .iter()
            .map(|block| TITLE + block.bars.len() as u32 * (BAR + GAP) + GAP)
            .sum::<u32>();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-label=\"Clients that a core carries\">\n\
         <style>\n{STYLE}\n</style>\n"
    );
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<text class=\"title\" x=\"16\" y=\"28\">Clients that a core carries</text>\n\
         <text class=\"note\" x=\"16\" y=\"48\">600 kbit/s each; limit is what the kernel and \
         AES alone cost. Longer is better.</text>"
    );
    let mut y = TOP;
    for Block { title, bars } in &blocks {
        let _ =
            writeln!(svg, "<text class=\"group\" x=\"16\" y=\"{}\">{title}</text>", y + TITLE - 10);
        y += TITLE;
        for (server, count) in bars {
            let length = (count / longest * f64::from(RIGHT - LEFT)).max(1.0);
            let end = f64::from(LEFT) + length + 6.0;
            let text = y + BAR - 3;
            let _ = writeln!(
                svg,
                "<text class=\"name\" x=\"{}\" y=\"{text}\">{server}</text>\
                 <rect class=\"{server}\" x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" \
                 height=\"{BAR}\" rx=\"3\"/><text x=\"{end:.1}\" y=\"{text}\">{}</text>",
                LEFT - 8,
                thousands(*count as u64),
            );
            y += BAR + GAP;
        }
        y += GAP;
    }
    svg.push_str("</svg>\n");
    svg
}

/// Each group at the most clients with which something counts.
fn blocks(data: &Data) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    for group in groups(data) {
        let is_shown = match group.kind {
            Kind::RtcPlay { .. } => group.name == "rtc-play",
            kind => kind.is_publish() || matches!(kind, Kind::RtmpPlay(_) | Kind::FlvPlay(_)),
        };
        if !is_shown {
            continue;
        }
        let rows = rows(data, group);
        let counts = |row: &&Row<'_>| row.per_core().is_some();
        let Some(most) = rows.iter().filter(counts).map(|row| row.clients).max() else { continue };
        // A server that failed with the most is shown with the most that it managed.
        let mut bars = Vec::new();
        for server in SERVERS {
            let best = rows.iter().rev().filter(counts).find(|row| row.server == server.name());
            bars.extend(best.and_then(|row| Some((row.server, row.per_core()?))));
        }
        let title = format!("{}, {} clients", group.title, thousands(most.into()));
        blocks.push(Block { title, bars });
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::data::Measurement;

    #[test]
    fn bars_are_as_long_as_what_they_tell() {
        let mut data = Data::default();
        for (server, clients, cpu) in
            [("srs-server", 100, 1.0), ("srs-server", 1000, 10.0), ("limit", 1000, 5.0)]
        {
            data.add(Measurement {
                group: "rtmp-play-0".into(),
                server: server.into(),
                clients,
                cpu,
                ..Measurement::default()
            });
        }
        let svg = render(&data);
        let full = RIGHT - LEFT;
        assert!(
            svg.contains(&format!("class=\"limit\" x=\"{LEFT}\" y=\"114\" width=\"{full}.0\""))
        );
        assert!(svg.contains(&format!("width=\"{}.0\"", full / 2)));
        assert!(svg.contains(">20,000</text>") && svg.contains(">10,000</text>"));
        assert!(svg.contains("at once, 1,000 clients</text>"));
        assert!(svg.ends_with("</svg>\n"));
    }

    #[test]
    fn every_server_has_its_colour_by_day_and_by_night() {
        for server in SERVERS {
            assert_eq!(STYLE.matches(&format!(".{} {{", server.name())).count(), 2);
        }
    }
}
