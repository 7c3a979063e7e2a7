//! What is done with any bytes, one function for each fuzz target of its name.
//!
//! **A body holds a law, not only that nothing panics**: it says again, in its own
//! words, what the bytes may come to, and compares. The tests replay the corpus
//! through the same bodies.

use std::sync::LazyLock;

use sunledger::config::{Problem, check, template};
use sunledger::domain::meter::{QUANTITIES, ROLES, Role};
use sunledger::domain::quality::Reason;
use sunledger::domain::snapshot::Value;
use sunledger::source::mqtt::Subscription;
use sunledger::wire::modbus::{Fault, Leniency, Question, Scan, rtu, tcp};
use sunledger::wire::mqtt::sparkplug::{Kind, Node, Topic, Word};
use sunledger::wire::mqtt::{Numbers, Payload, Place, Said, Speech};
use sunledger::wire::register::Layout;
use sunledger::wire::sunspec;

/// A question, the leniency of its endpoint and a transaction, from nine bytes; and
/// what came for it. No more than a link ever has before it gives up.
fn asked(data: &[u8]) -> Option<(Question, Leniency, u16, &[u8])> {
    let (head, came) = data.split_first_chunk::<9>()?;
    let &[switches, unit, code, a, b, many, few, t, u] = head;
    let count = u16::from_be_bytes([many % 8, few]);
    let question = Question::new(unit, code % 4 + 1, u16::from_be_bytes([a, b]), count)?;
    let lenient = Leniency {
        any_unit: switches & 1 == 1,
        ignore_transaction: switches & 2 == 2,
    };
    let came = &came[..came.len().min(700)];
    Some((question, lenient, u16::from_be_bytes([t, u]), came))
}

/// Unit, function, byte count and values: exactly what was asked for, and the words
/// that stand there.
fn is_answer(pdu: &[u8], question: &Question, lenient: Leniency, words: &[u16]) {
    let (head, values) = pdu.split_at(3);
    assert!(lenient.any_unit || head[0] == question.unit());
    assert_eq!(head[1], question.function().code());
    assert_eq!(usize::from(head[2]), values.len());
    assert_eq!(words.len(), usize::from(question.count()));
    for (place, word) in words.iter().enumerate() {
        let there = if question.function().code() <= 2 {
            u16::from(values[place / 8] >> (place % 8) & 1)
        } else {
            u16::from(values[place * 2]) * 256 + u16::from(values[place * 2 + 1])
        };
        assert_eq!(*word, there, "word {place}");
    }
    let bits = usize::from(question.count());
    let bytes = if question.function().code() <= 2 {
        bits.div_ceil(8)
    } else {
        bits * 2
    };
    assert_eq!(
        values.len(),
        bytes,
        "neither more nor less than was asked for"
    );
}

/// An answer over TCP is a whole frame to the question behind whole older ones, and
/// however the bytes were cut into pieces, the same comes out.
pub fn modbus_tcp(data: &[u8]) {
    let Some((question, lenient, transaction, came)) = asked(data) else {
        return;
    };
    let whole = tcp::scan(came, transaction, &question, lenient);
    let frame = |used: usize| {
        let mut at = 0;
        loop {
            let head = &came[at..at + 6];
            assert_eq!(head[2..4], [0, 0]);
            let end = at + 6 + usize::from(u16::from_be_bytes([head[4], head[5]]));
            let said = u16::from_be_bytes([head[0], head[1]]);
            if end == used {
                assert!(lenient.ignore_transaction || said == transaction);
                return &came[at + 6..used];
            }
            assert!(!lenient.ignore_transaction && said != transaction && end < used);
            at = end;
        }
    };
    match &whole {
        Scan::Answer { words, used } => is_answer(frame(*used), &question, lenient, words),
        Scan::Exception { code, used } => {
            let pdu = frame(*used);
            assert!(lenient.any_unit || pdu[0] == question.unit());
            assert_eq!(pdu[1..], [question.function().code() | 0x80, *code]);
        }
        Scan::More { enough } => assert!(!enough),
        Scan::Broken(fault) => assert!(!matches!(fault, Fault::Damaged | Fault::Unasked)),
    }
    for cut in 0..came.len() {
        let part = tcp::scan(&came[..cut], transaction, &question, lenient);
        match part {
            Scan::More { .. } => (),
            part => {
                assert_eq!(part, whole, "after {cut} bytes");
                break;
            }
        }
    }
}

/// CRC-16 as the specification describes it, bit by bit.
fn crc(bytes: &[u8]) -> [u8; 2] {
    let mut crc = 0xFFFF_u16;
    for byte in bytes {
        crc ^= u16::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xA001
            } else {
                crc >> 1
            };
        }
    }
    crc.to_le_bytes()
}

/// An answer on a line is a whole frame with its checksum; no beginning of the echo is
/// one; and bytes that come in pieces never come to two different answers.
pub fn modbus_rtu(data: &[u8]) {
    let Some((question, lenient, _, came)) = asked(data) else {
        return;
    };
    let echo = rtu::encode(&question);
    let length = rtu::answer_length(&question);
    let mut answered: Option<(Vec<u16>, usize)> = None;
    // What came after every one of the last pieces; earlier ones are other inputs.
    for cut in came.len().saturating_sub(16)..=came.len() {
        let part = &came[..cut];
        match rtu::scan(part, &question, lenient) {
            Scan::Answer { words, used } => {
                let (frame, end) = part[..used].split_at(used - 2);
                let from = used - length;
                assert_eq!(end, crc(&frame[from..]));
                is_answer(&frame[from..], &question, lenient, &words);
                assert!(
                    !echo.starts_with(&part[from..]),
                    "the beginning of the echo"
                );
                let known = answered.get_or_insert_with(|| (words.clone(), used));
                assert_eq!(*known, (words, used), "after {cut} bytes");
            }
            Scan::Exception { code, used } => {
                let frame = &part[used - rtu::SHORTEST..used];
                assert!(lenient.any_unit || frame[0] == question.unit());
                assert_eq!(frame[1..3], [question.function().code() | 0x80, code]);
                assert_eq!(frame[3..], crc(&frame[..3]));
            }
            Scan::More { enough } => assert!(!enough || cut >= length),
            Scan::Broken(fault) => match fault {
                Fault::Unit(unit) => assert!(!lenient.any_unit && unit != question.unit()),
                Fault::Function(code) => assert_ne!(code, question.function().code()),
                Fault::Count { asked, sent } => assert_ne!(asked, sent),
                other => panic!("{other:?} is not said of a line"),
            },
        }
    }
}

/// A value is a number, and one of the sensor's.
fn are_values(said: &Said, points: usize) {
    assert!(said.values.len() <= points);
    for (point, value) in &said.values {
        assert!(*point < points);
        match value {
            Ok(Value::Analog(number)) => assert!(number.is_finite()),
            Ok(Value::Count(_) | Value::Scaled { .. }) | Err(_) => (),
        }
    }
}

/// What a node announces, of itself and of two devices.
const TOPICS: [&str; 9] = [
    "spBv1.0/park/NBIRTH/edge1",
    "spBv1.0/park/NDATA/edge1",
    "spBv1.0/park/NDEATH/edge1",
    "spBv1.0/park/DBIRTH/edge1/meter1",
    "spBv1.0/park/DDATA/edge1/meter1",
    "spBv1.0/park/DDEATH/edge1/meter1",
    "spBv1.0/park/DBIRTH/edge1/meter2",
    "spBv1.0/park/DDATA/edge1/meter2",
    "spBv1.0/park/DDEATH/edge1/meter2",
];

/// A node takes in message after message: no more metrics than its bytes hold, no
/// number that is none, no alias that was not born, nothing after a death.
pub fn sparkplug(data: &[u8]) {
    let mut node = Node::default();
    let mut born = [false; 3];
    let mut rest = data;
    while let Some((head, more)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([head[1], head[2]])).min(more.len());
        let (payload, behind) = more.split_at(length);
        rest = behind;
        let text = TOPICS[usize::from(head[0]) % TOPICS.len()];
        let topic = Topic::parse(text).expect("a topic");
        let who = usize::from(head[0]) % TOPICS.len() / 3;
        let Ok(taken) = node.take(topic, payload) else {
            born = match topic.kind {
                Kind::Birth if who == 0 => [false; 3],
                _ => born,
            };
            // Another birth may have been missed: no alias is worth anything.
            let alias = [0x12, 4, 0x10, 1, 0x50, 1, 0x18, 0];
            let mut after = node.clone();
            let next = after.take(Topic::parse(TOPICS[4]).expect("a topic"), &alias);
            assert!(next.is_ok_and(|taken| taken.metrics.is_empty() && taken.missed));
            continue;
        };
        // A metric takes two bytes at the least: its tag and its length.
        assert!(taken.metrics.len() <= payload.len() / 2);
        for metric in &taken.metrics {
            assert!(metric.value.is_ok_and(f64::is_finite) || metric.value.is_err());
            assert!(metric.name.len() <= data.len());
        }
        match (topic.kind, taken.word) {
            (Kind::Birth, Word::Born) => {
                if who == 0 {
                    born = [false; 3];
                }
                born[who] = true;
            }
            (Kind::Data, Word::Lives) => {
                assert!(born[who] || taken.missed, "data of one that was never born");
            }
            (Kind::Death, Word::Died) => {
                assert!(taken.metrics.is_empty());
                if who == 0 {
                    born = [false; 3];
                }
                born[who] = false;
            }
            (Kind::Death, Word::Nothing) => assert_eq!(who, 0),
            other => panic!("{other:?}"),
        }
        for sensor in sensors() {
            for way in &sensor.ways {
                if let Speech::Sparkplug(outlook) = &way.speech {
                    let said = outlook.read(&taken);
                    assert!(said.len() <= (taken.metrics.len() + 1) * sensor.points.len());
                    for said in said {
                        are_values(&said, sensor.points.len());
                    }
                }
            }
        }
    }
}

/// A sensor of every ready mapping, and one with each key that a reader has.
const SENSORS: &str = include_str!("sensors.toml");

fn sensors() -> &'static [Subscription] {
    static SENSORS_READ: LazyLock<Vec<Subscription>> = LazyLock::new(|| {
        let setup = check::parse(SENSORS).expect("the sensors of the fuzz targets");
        let mut brokers = setup.brokers.into_iter();
        brokers.next().expect("a broker").settings.subscriptions
    });
    &SENSORS_READ
}

/// The number at a place, found without [`Place`].
fn is_number_of(number: f64, found: &serde_json::Value, sum: bool) {
    assert!(number.is_finite());
    match found {
        serde_json::Value::Number(there) => assert_eq!(Some(number), there.as_f64()),
        serde_json::Value::String(_) => (),
        serde_json::Value::Array(list) => assert!(sum && !list.is_empty()),
        other => panic!("{number} out of {other}"),
    }
}

/// A place, a line end, and a payload: numbers are finite and those that stand there,
/// and every sensor has a value or a reason for what is its own.
pub fn json_payload(data: &[u8]) {
    let at = data
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(data.len());
    let (place, bytes) = (&data[..at], data.get(at + 1..).unwrap_or_default());
    let payload = Payload::new(bytes);
    for numbers in [Numbers::Plain, Numbers::InText] {
        if let Ok(number) = payload.number(numbers) {
            assert!(number.is_finite() && payload.text().is_ok());
        }
    }
    if let (Ok(text), Ok(document)) = (str::from_utf8(place), payload.document())
        && let Ok(place) = Place::parse(text)
    {
        let path = text.strip_suffix("/*").unwrap_or(text);
        let sum = path != text;
        let found = place.find(document);
        // Where a place is a JSON pointer, another reading of it comes to the same.
        if !path.contains('[') {
            assert_eq!(found, document.pointer(path), "{text}");
        }
        for numbers in [Numbers::Plain, Numbers::InText] {
            match (place.number(document, numbers), found) {
                (None, None) => (),
                (Some(Ok(number)), Some(found)) => is_number_of(number, found, sum),
                (Some(Err(reason)), Some(found)) => {
                    assert!(matches!(reason, Reason::NotAvailable | Reason::ShortAnswer));
                    assert!(sum || !found.is_number());
                }
                (number, found) => panic!("{number:?} and {found:?}"),
            }
        }
    }
    for sensor in sensors() {
        for way in &sensor.ways {
            match &way.speech {
                Speech::Values(reader) => {
                    let Some(said) = reader.read(&payload) else {
                        continue;
                    };
                    are_values(&said, sensor.points.len());
                    assert!(said.values.len() <= reader.points.len());
                    assert!(reader.partial || said.values.len() == reader.points.len());
                    assert!(said.fault.is_none() || said.values.iter().all(|one| one.1.is_err()));
                    assert!(said.note.is_none() || said.values.iter().all(|one| one.1.is_err()));
                }
                Speech::Presence(words) => {
                    let _ = words.is_there(&payload);
                }
                Speech::Sparkplug(_) => (),
            }
        }
    }
}

/// A device of any registers is walked in bounded steps, each further up; its models
/// lie behind each other; and every value that it serves comes from within its model.
pub fn sunspec(data: &[u8]) {
    let Some((&[place, moods, most], registers)) = data.split_first_chunk::<3>() else {
        return;
    };
    let base = sunspec::BASES[usize::from(place) % 3];
    let words: Vec<u16> = [0x5375, 0x6E53]
        .into_iter()
        .chain(
            registers
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]])),
        )
        .collect();
    let most = u16::from(most % 125) + 1;
    let read = |ask: sunspec::Ask| {
        let from = usize::from(ask.address.checked_sub(base)?);
        words
            .get(from..from + usize::from(ask.count))
            .filter(|_| ask.count <= most.max(2))
    };
    let mut walk = sunspec::Walk::new();
    let (mut steps, mut highest) = (0_u32, None);
    while let Some(ask) = walk.next_request() {
        steps += 1;
        assert!(steps < 256 * 12, "no end");
        assert!((1..=125).contains(&ask.count));
        assert!(u32::from(ask.address) + u32::from(ask.count) <= 65_536);
        // Headers; details are within the model before.
        if steps > 3 && ask.count == 2 {
            assert!(highest < Some(ask.address));
            highest = Some(ask.address);
        }
        let mood = if moods == 0 {
            0
        } else {
            steps % u32::from(moods)
        };
        match (read(ask), mood) {
            (_, 17) => walk.hear(sunspec::Said::Silent),
            (Some(words), 5) => walk.hear(sunspec::Said::Words(&words[1..])),
            (None, _) | (_, 9) => walk.hear(sunspec::Said::Refused),
            (Some(words), _) => walk.hear(sunspec::Said::Words(words)),
        }
    }
    let Ok(chain) = walk.finish() else { return };
    assert!(!chain.models.is_empty() && chain.models.len() <= 256);
    let mut end = u32::from(chain.base) + 2;
    for model in &chain.models {
        assert_eq!(u32::from(model.address), end);
        end += 2 + u32::from(model.length);
        assert!(end <= 65_536);
        assert!(model.parts.len() <= usize::from(model.length));
    }
    let quantities: Vec<_> = QUANTITIES.iter().collect();
    let options = sunspec::Options::default();
    for role in ROLES {
        let served = sunspec::serve(&chain, role, &quantities, &options, most);
        assert_eq!(served.len(), quantities.len());
        for served in served.into_iter().flatten() {
            let span = served.layout.span();
            assert!((1..=most).contains(&span.count) && span.fc == 3);
            let model = chain.models.iter().find(|model| {
                model.id == served.model
                    && model.address <= span.address
                    && span.end() <= u32::from(model.address) + 2 + u32::from(model.length)
            });
            assert!(model.is_some(), "{served:?} lies outside of its model");
            let ask = sunspec::Ask {
                address: span.address,
                count: span.count,
            };
            let value = read(ask).map(|words| served.layout.value(span.address, words, &[]));
            if let Some(Ok(Value::Analog(number))) = value {
                assert!(number.is_finite());
            }
        }
    }
}

/// Every problem says what is wrong, what would be right, and a line that there is.
fn are_problems(problems: &[Problem], text: &str) {
    assert!(!problems.is_empty());
    for problem in problems {
        assert!(
            !problem.fact.is_empty() && !problem.remedy.is_empty(),
            "{problem:?}"
        );
        let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
        assert!(
            problem.line.is_none_or(|line| (1..=lines).contains(&line)),
            "{problem:?}"
        );
    }
}

/// A value of a layout comes from one answer that the device gives, its factors are
/// there, and whatever the registers hold, it is a number or a reason.
fn is_readable(layout: &Layout, max_registers: u16, factors: usize) {
    let span = layout.span();
    assert!(
        (1..=4).contains(&layout.fc) && span.end() <= 65_536,
        "{layout:?}"
    );
    assert!(
        span.count >= 1 && (layout.is_bit() || span.count <= max_registers),
        "{layout:?}"
    );
    let extra = layout.extra.as_deref();
    let places = extra.map_or(&[][..], |extra| &extra.factors);
    assert!(places.iter().all(|place| *place < factors), "{layout:?}");
    let within = extra.and_then(|extra| extra.within);
    for word in [0, 1, 0x0010, 0x1234, 0x7FFF, 0x8000, 0x7F80, 0xFFFF] {
        let words = vec![word; usize::from(span.count)];
        if let Ok(Value::Analog(number)) = layout.value(span.address, &words, &vec![10.0; factors])
        {
            assert!(number.is_finite());
            let (least, most) = within.unwrap_or((f64::MIN, f64::MAX));
            assert!((least..=most).contains(&number), "{number} by {layout:?}");
        }
        let short = layout.value(span.address, &words[1..], &vec![10.0; factors]);
        assert!(short.is_err(), "{layout:?} needs less than its span");
    }
}

/// Any text is a template, and a configuration, or everything that is wrong with it;
/// and what is accepted can be read from a device.
pub fn template(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    if text.contains("[park]") {
        configuration(text);
        return;
    }
    // The name of a file is the name in it.
    let name = text
        .split_once("name = \"")
        .and_then(|(_, rest)| rest.split_once('"'));
    let name = name.map_or("device", |(name, _)| name);
    match template::parse(name, "device.toml", text) {
        Err(problems) => are_problems(&problems, text),
        Ok(template) => {
            assert_eq!(template.name, name);
            assert!(template::KINDS.contains(&template.kind) && !template.sources.is_empty());
            let most = template.protocol.limits.max_registers;
            assert!((1..=125).contains(&most));
            let choices = template.defaults();
            for role in ["grid", "pv", "battery", "heat_consumer", "weather"] {
                let site = template::Site::of(Role::named(role));
                let Ok(chosen) = template.ready(&site, &choices, |_| true) else {
                    continue;
                };
                assert!(chosen.points.len() <= template.points.len());
                for point in &chosen.points {
                    is_readable(&point.layout, most, chosen.factors.len());
                }
            }
        }
    }
}

fn configuration(text: &str) {
    match check::parse(text) {
        Err(problems) => are_problems(&problems, text),
        Ok(setup) => {
            for poll in setup.buses.iter().flat_map(|bus| &bus.polls) {
                assert!(poll.meter < setup.park.meters.len());
                for (point, layout) in &poll.points {
                    assert!(*point < setup.park.meters[poll.meter].points.len());
                    is_readable(layout, poll.limits.max_registers, poll.factors.len());
                }
            }
            let sensors = setup
                .brokers
                .iter()
                .flat_map(|broker| &broker.settings.subscriptions);
            for sensor in sensors {
                assert!(sensor.meter < setup.park.meters.len());
            }
        }
    }
}
