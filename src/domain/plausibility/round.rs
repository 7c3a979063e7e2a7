//! The round through all checks: each is looked at every few seconds, none in the same
//! tick as all others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::ear::Ear;
use super::electrical::drift::MeterDrift;
use super::finding::{Change, Finding, Judged};
use super::hold::{Hold, Turn};
use super::look::{Layout, Look, Memory, Moment, Site};
use super::node::{Kind, Node, Part};
use super::settings::{CheckSettings, Facts, Settings};
use super::table::{CHECKS, CheckRow, Pace, Subject};
use crate::domain::closure::{balance_parts, lost_behind};
use crate::domain::compensation::lost_at;
use crate::domain::meter::{Carrier, MeterIndex, Park};
use crate::domain::relations::Boundary;
use crate::domain::snapshot::Reading;
use crate::domain::sun::sun;
use crate::domain::units::{to_f64, to_i64};

/// Every check is looked at once in this time, ms: a sixth of the shortest time that
/// any of them needs, and a tenth of the work of looking each second.
const ROUND_MS: i64 = 10_000;
/// A look longer ago than this says nothing of the time since, ms.
const LOOK_GAP_MS: i64 = 60_000;

/// One check of one subject.
struct Cell {
    row: &'static CheckRow,
    settings: CheckSettings,
    subject: Subject,
    hold: Hold,
    memory: Memory,
    looked_ms: Option<i64>,
    because: Option<&'static str>,
}

/// What is kept of a cell.
#[derive(Serialize, Deserialize)]
struct Kept {
    check: u8,
    meters: Vec<String>,
    hold: Hold,
    memory: Memory,
}

/// What is kept of all.
#[derive(Default, Serialize, Deserialize)]
struct State {
    #[serde(default)]
    cells: Vec<Kept>,
    #[serde(default)]
    ears: BTreeMap<String, Ear>,
    #[serde(default)]
    day: Option<Date>,
}

/// A check that cannot judge a meter, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unjudged {
    /// Number of the check.
    pub check: u8,
    /// Its name.
    pub name: &'static str,
    /// The meter above all.
    pub meter: Arc<str>,
    /// Not judged, because.
    pub because: &'static str,
}

/// All checks of a park.
pub struct Plausibility {
    park: Arc<Park>,
    site: Site,
    ears: Vec<Ear>,
    nodes: Vec<Node>,
    /// First those looked at in turn, then those of intervals and days.
    cells: Vec<Cell>,
    in_turn: usize,
    next: usize,
    active: BTreeSet<(u8, MeterIndex)>,
    last_ms: Option<i64>,
    /// Time between the last two ticks.
    spacing_ms: i64,
    sampled_ms: Option<i64>,
    day: Option<Date>,
}

impl Plausibility {
    /// The checks of a park, with what was kept of an earlier run.
    #[must_use]
    pub fn new(park: &Arc<Park>, settings: &Settings, earlier: Option<&str>) -> Self {
        let mut state: State = earlier
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default();
        let fact = |id: &str| settings.facts.get(id).cloned().unwrap_or_default();
        let layouts: Vec<Layout> = park.meters.iter().map(Layout::new).collect();
        let dni = |layout: &Layout| layout.point(super::look::Q::Dni).is_some();
        let site = Site {
            dni: layouts.iter().position(dni),
            layouts,
            facts: park.meters.iter().map(|meter| fact(&meter.id)).collect(),
        };
        let ears = park
            .meters
            .iter()
            .map(|meter| Ear::new(meter, state.ears.remove(&*meter.id)))
            .collect();
        let nodes = nodes(park, &site.facts);
        let mut cells = cells(park, &site, &nodes, settings);
        for cell in &mut cells {
            let ids: Vec<&str> = cell.ids(park).collect();
            let is_it = |kept: &Kept| kept.check == cell.row.number && kept.meters == ids;
            if let Some(place) = state.cells.iter().position(is_it) {
                let kept = state.cells.swap_remove(place);
                (cell.hold, cell.memory) = (kept.hold, kept.memory);
            }
        }
        let in_turn = cells.iter().filter(|cell| cell.in_turn()).count();
        let under_way = cells.iter().filter(|cell| !cell.hold.is_idle());
        let active = under_way.filter_map(Cell::key).collect();
        Self {
            park: Arc::clone(park),
            site,
            ears,
            nodes,
            cells,
            in_turn,
            next: 0,
            active,
            last_ms: None,
            spacing_ms: 0,
            sampled_ms: None,
            day: state.day,
        }
    }

    /// Takes in what a meter said.
    pub fn hear(&mut self, reading: &Reading) {
        if let Some(ear) = self.ears.get_mut(reading.meter) {
            ear.hear(reading, self.last_ms.map(|last| (last, self.spacing_ms)));
        }
    }

    /// Takes note of a reading that came too late to be of now.
    pub fn late(&mut self, reading: &Reading) {
        if let Some(ear) = self.ears.get_mut(reading.meter) {
            ear.late(reading, self.last_ms.map(|last| (last, self.spacing_ms)));
        }
    }

    /// Looks at what is due at a moment.
    pub fn tick(&mut self, moment: &Moment<'_>) -> Vec<Change> {
        let now_ms = moment.now.as_millisecond();
        let passed = self.last_ms.replace(now_ms).map_or(0, |last| now_ms - last);
        if passed <= 0 {
            return Vec::new();
        }
        self.spacing_ms = passed;
        let mut changes = Vec::new();
        let (second, park) = (now_ms.div_euclid(1_000), Arc::clone(&self.park));
        let elevation = sun(park.latitude, park.longitude, second).elevation_deg;
        self.sample(moment, now_ms);
        let minutes_ms = park.settlement_minutes.max(1) * 60_000;
        if now_ms.div_euclid(minutes_ms) > (now_ms - passed).div_euclid(minutes_ms) {
            for node in &mut self.nodes {
                node.finish(minutes_ms);
            }
            self.look_all(Pace::Interval, moment, elevation, &mut changes);
        }
        let today = crate::domain::time::local_date(moment.now, &park.time_zone);
        if self.day.replace(today).is_some_and(|day| day != today) {
            self.look_all(Pace::Day, moment, elevation, &mut changes);
            self.ears.iter_mut().for_each(Ear::new_day);
        }
        let cells = to_f64(i64::try_from(self.in_turn).unwrap_or(i64::MAX));
        let due = cells * to_f64(passed.min(ROUND_MS)) / to_f64(ROUND_MS);
        for _ in 0..to_i64(due.ceil()) {
            self.next = if self.next + 1 < self.in_turn {
                self.next + 1
            } else {
                0
            };
            self.look(self.next, moment, elevation, &mut changes);
        }
        changes
    }

    /// Adds the powers of now to the means of the interval.
    fn sample(&mut self, moment: &Moment<'_>, now_ms: i64) {
        let since = self.sampled_ms.map_or(ROUND_MS, |last| now_ms - last);
        if since < ROUND_MS {
            return;
        }
        self.sampled_ms = Some(now_ms);
        let power = |meter, carrier| (moment.power)(meter, carrier).ok().map(|known| known.value);
        for node in &mut self.nodes {
            let losses = match node.kind {
                Kind::Balance(Carrier::Electricity) if self.park.losses.is_some() => {
                    let losses = moment.powers.of(crate::domain::flow::Flow::Losses);
                    let losses = losses.as_ref().ok().map(|known| known.value);
                    // Those of transformers before the meters are not in the node.
                    let before = lost_at(&self.park, Boundary::GridSide).into_iter();
                    before.fold(losses, |losses, loss| {
                        Some(losses? - power(loss, Carrier::Electricity)?)
                    })
                }
                _ => Some(0.0),
            };
            node.sample(since.min(LOOK_GAP_MS), &power, losses);
        }
    }

    fn look_all(&mut self, pace: Pace, moment: &Moment<'_>, sun: f64, changes: &mut Vec<Change>) {
        for place in self.in_turn..self.cells.len() {
            if self
                .cells
                .get(place)
                .is_some_and(|cell| cell.row.pace == pace)
            {
                self.look(place, moment, sun, changes);
            }
        }
    }

    /// Looks at one cell.
    fn look(&mut self, place: usize, moment: &Moment<'_>, sun: f64, changes: &mut Vec<Change>) {
        let Some(cell) = self.cells.get_mut(place) else {
            return;
        };
        let now_ms = moment.now.as_millisecond();
        let ms = cell
            .looked_ms
            .replace(now_ms)
            .map_or(0, |last| now_ms - last);
        let active = &self.active;
        let look = Look {
            park: &self.park,
            site: &self.site,
            moment,
            sun_elevation: sun,
            ears: &self.ears,
            nodes: &self.nodes,
            meters: &cell.subject.meters,
            node: cell.subject.node,
            values: &cell.settings.values,
            ms: ms.clamp(0, LOOK_GAP_MS),
        };
        let explains = |check: &u8| {
            let mut meters = cell.subject.meters.iter();
            meters.any(|meter| active.contains(&(*check, *meter)))
        };
        let judged = if cell.row.explained_by.iter().any(explains) {
            Judged::Not("another finding explains it")
        } else {
            (cell.row.judge)(&look, &mut cell.memory)
        };
        cell.because = match &judged {
            Judged::Not(because) => Some(*because),
            Judged::Clear | Judged::Seen(_) => None,
            Judged::Later => cell.because,
        };
        let ms = look.ms;
        let before = cell.hold.is_idle();
        let needs = cell.row.pace.needs(&cell.settings.values);
        // What closes is told as it was.
        let was = cell.finding(&self.park);
        let turn = cell.hold.step(moment.now, ms, judged, needs);
        let finding = match turn {
            Some(Turn::Opened) => cell.finding(&self.park),
            Some(Turn::Closed) => was,
            None => None,
        };
        let opened = turn == Some(Turn::Opened);
        changes.extend(finding.map(|finding| Change { opened, finding }));
        if before != cell.hold.is_idle() {
            let key = cell.key();
            if before {
                self.active.extend(key);
            } else if let Some(key) = key {
                self.active.remove(&key);
            }
        }
        if opened {
            self.taint(place);
        }
    }

    /// A finding makes the day of its meter no measure of drift.
    fn taint(&mut self, place: usize) {
        let Some(cell) = self.cells.get(place) else {
            return;
        };
        let by_day = CHECKS.iter().filter(|row| row.pace == Pace::Day);
        if by_day
            .flat_map(|row| row.explained_by)
            .any(|check| *check == cell.row.number)
        {
            for meter in &cell.subject.meters {
                if let Some(ear) = self.ears.get_mut(*meter) {
                    ear.taint();
                }
            }
        }
    }

    /// Findings that are open, in the order of the checks.
    #[must_use]
    pub fn open(&self) -> Vec<Finding> {
        let open = self
            .cells
            .iter()
            .filter_map(|cell| cell.finding(&self.park));
        let mut open: Vec<Finding> = open.collect();
        open.sort_by(|a, b| (a.check, &a.meters).cmp(&(b.check, &b.meters)));
        open
    }

    /// Checks that cannot judge, and why.
    #[must_use]
    pub fn unjudged(&self) -> Vec<Unjudged> {
        let silent = self.cells.iter().filter_map(|cell| {
            Some(Unjudged {
                check: cell.row.number,
                name: cell.row.name,
                meter: self
                    .park
                    .meters
                    .get(*cell.subject.meters.first()?)?
                    .id
                    .clone(),
                because: cell.because?,
            })
        });
        silent.collect()
    }

    /// Every counter against its flow, in the order of the meters.
    #[must_use]
    pub fn drifts(&self, settings: &Settings) -> Vec<MeterDrift> {
        let limits = super::electrical::drift::limits(settings.of(14));
        let meters = self.park.meters.iter().zip(&self.ears);
        let all = meters.map(|(meter, ear)| super::electrical::drift::drifts(meter, ear, limits));
        all.flatten().collect()
    }

    /// What must outlive this run.
    #[must_use]
    pub fn state(&self) -> String {
        let under_way = |cell: &&Cell| !cell.hold.is_idle() || !cell.memory.is_empty();
        let cells = self.cells.iter().filter(under_way).map(|cell| Kept {
            check: cell.row.number,
            meters: cell.ids(&self.park).map(str::to_owned).collect(),
            hold: cell.hold.clone(),
            memory: cell.memory.clone(),
        });
        let ears = self.park.meters.iter().zip(&self.ears);
        let heard = ears.filter(|(_, ear)| ear.newest_ms.is_some());
        let state = State {
            cells: cells.collect(),
            ears: heard
                .map(|(meter, ear)| (meter.id.to_string(), ear.clone()))
                .collect(),
            day: self.day,
        };
        serde_json::to_string(&state).unwrap_or_default()
    }
}

impl Cell {
    fn in_turn(&self) -> bool {
        !matches!(self.row.pace, Pace::Interval | Pace::Day)
    }

    /// How it is known to those that it explains.
    fn key(&self) -> Option<(u8, MeterIndex)> {
        Some((self.row.number, *self.subject.meters.first()?))
    }

    fn ids<'a>(&'a self, park: &'a Park) -> impl Iterator<Item = &'a str> {
        let meters = self.subject.meters.iter();
        meters
            .filter_map(|meter| park.meters.get(*meter))
            .map(|meter| &*meter.id)
    }

    /// What it has found, while that is open.
    fn finding(&self, park: &Park) -> Option<Finding> {
        let (since, seen) = self.hold.open()?;
        Some(Finding {
            check: self.row.number,
            name: self.row.name,
            meters: self.ids(park).map(Arc::from).collect(),
            since,
            seen: seen.clone(),
        })
    }
}

fn cells(park: &Park, site: &Site, nodes: &[Node], settings: &Settings) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (row, settings) in CHECKS.iter().zip(&settings.checks) {
        let Some(settings) = settings else { continue };
        for subject in (row.subjects)(park, site, nodes) {
            let id = |meter: &MeterIndex| park.meters.get(*meter).map(|meter| meter.id.to_string());
            let first = subject.meters.first().and_then(id);
            if first.is_some_and(|first| settings.except.contains(&first)) {
                continue;
            }
            cells.push(Cell {
                row,
                settings: settings.clone(),
                subject,
                hold: Hold::default(),
                memory: Memory::default(),
                looked_ms: None,
                because: None,
            });
        }
    }
    cells.sort_by_key(|cell| !cell.in_turn());
    cells
}

/// The nodes of a park: its balances, if every load is metered, and its feeders.
fn nodes(park: &Park, facts: &[Facts]) -> Vec<Node> {
    let mut nodes = Vec::new();
    for carrier in [Carrier::Electricity, Carrier::Heat] {
        let parts = balance_parts(park, carrier);
        let closed = match carrier {
            Carrier::Electricity => park.every_load_metered,
            Carrier::Heat => true,
        };
        if closed && !parts.is_empty() {
            nodes.push(Node::new(Kind::Balance(carrier), parts));
        }
    }
    for (meter, known) in facts.iter().enumerate() {
        if known.submeters.is_empty() {
            continue;
        }
        let part = |meter: MeterIndex, sign| {
            let role = park.meters.get(meter)?.role;
            let carrier = if role.electricity.is_none() && role.heat.is_some() {
                Carrier::Heat
            } else {
                Carrier::Electricity
            };
            Some(Part {
                meter,
                carrier,
                sign,
            })
        };
        let behind = known.submeters.iter().map(|id| part(park.meter(id)?, -1.0));
        let lost = lost_behind(park, meter, Carrier::Electricity);
        let parts: Option<Vec<Part>> = [part(meter, 1.0)]
            .into_iter()
            .chain(behind)
            .chain(lost.map(Some))
            .collect();
        nodes.extend(parts.map(|parts| Node::new(Kind::Feeder, parts)));
    }
    nodes
}
