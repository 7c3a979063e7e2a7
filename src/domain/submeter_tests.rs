//! Trees of submeters: situations, and the law that nothing is counted twice.

use proptest::prelude::*;

use super::*;
use crate::domain::balance::{members, powers};
use crate::domain::flow::Flow;
use crate::domain::meter::{Freshness, Meter, Point, Quantity, Role, Term};
use crate::domain::quality::{Gaps, Reason};
use crate::domain::topology::{Placed, Topology};

fn meter(id: &str, role: &str) -> Meter {
    let point = |name: &str| Point {
        quantity: Quantity::named(name).unwrap(),
        register: None,
    };
    Meter {
        id: id.into(),
        role: Role::named(role).unwrap(),
        points: ["power", "heat_power"].map(point).to_vec(),
        freshness: Freshness::UntilChanged,
        period: std::time::Duration::from_secs(1),
        rated: None,
        heat_from_flow: None,
        rated_heat: None,
    }
}

/// A park of meters: id, role, what it stands behind (nothing: the source).
fn park(meters: &[(&str, &str, &str)]) -> Park {
    let placed: Vec<Placed> = meters
        .iter()
        .map(|(id, _, behind)| Placed {
            meter: (*id).into(),
            behind: (!behind.is_empty()).then(|| (*behind).into()),
        })
        .collect();
    let mut park = Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: meters.iter().map(|(id, role, _)| meter(id, role)).collect(),
        every_load_metered: true,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    };
    park.relations.topology = Topology::new(&placed).unwrap();
    park
}

/// What a meter says; NaN is a timeout.
fn says<'a>(park: &'a Park, said: &'a [f64]) -> impl Fn(MeterIndex, Carrier) -> Stated<f64> + 'a {
    move |index, _| {
        if said[index].is_nan() {
            Err(Gaps::one(&park.meters[index].id, Reason::Timeout))
        } else {
            Ok(Known::given(said[index]))
        }
    }
}

fn value(stated: &Stated<f64>) -> f64 {
    stated.as_ref().map_or(f64::NAN, |known| known.value)
}

/// A hall with an oven and a roof behind it, and another tenant.
const HALL: &[(&str, &str, &str)] = &[
    ("grid", "grid", ""),
    ("hall", "tenant", ""),
    ("oven", "tenant", "hall"),
    ("roof", "pv", "hall"),
    ("shop", "tenant", ""),
];

#[test]
fn a_residual_rests_on_the_meters_that_are_counted() {
    let park = park(HALL);
    #[rustfmt::skip]
    let cases = [
        // situation                     grid   hall   oven   roof  shop |  load  residual  rest of the hall
        ("all of it is metered",       [700.0, 400.0, 300.0,   0.0, 300.0],  700.0,    0.0,   100.0),
        ("the oven stands still",      [700.0, 400.0,   0.0,   0.0, 300.0],  700.0,    0.0,   400.0),
        ("a load without a meter",     [750.0, 400.0, 300.0,   0.0, 300.0],  750.0,   50.0,   100.0),
        ("the oven counts backwards",  [700.0, 400.0, -300.0,  0.0, 300.0],  700.0,    0.0,   700.0),
        ("more behind than before",    [500.0, 200.0, 300.0,   0.0, 300.0],  500.0,    0.0,  -100.0),
        ("the roof feeds the hall",    [600.0, 300.0, 300.0, 100.0, 300.0],  700.0,    0.0,   100.0),
        ("the hall feeds back",        [200.0, -100.0, 300.0, 500.0, 300.0], 700.0,    0.0,   100.0),
    ];
    for (situation, said, load, residual, rest) in cases {
        let flows = powers(&park, &says(&park, &said));
        assert_eq!(value(flows.of(Flow::Load)), load, "{situation}");
        assert_eq!(value(flows.of(Flow::Residual)), residual, "{situation}");
        let found = branch_powers(&park, &says(&park, &said));
        let [hall] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(
            (&*hall.parent, hall.carrier),
            ("hall", Carrier::Electricity)
        );
        assert_eq!(value(&hall.rest), rest, "{situation}");
    }
}

#[test]
fn a_silent_submeter_spoils_its_branch_and_no_sum_and_a_silent_main_meter_both() {
    let park = park(HALL);
    let quiet = |which: usize| {
        let mut said = [700.0, 400.0, 300.0, 0.0, 300.0];
        said[which] = f64::NAN;
        let flows = powers(&park, &says(&park, &said));
        let branch = branch_powers(&park, &says(&park, &said)).remove(0);
        (flows.of(Flow::Residual).clone(), branch)
    };
    let (residual, branch) = quiet(2);
    assert!(residual.is_ok());
    assert_eq!(branch.rest.unwrap_err().meters(), ["oven"]);
    assert!(branch.own.is_ok());
    let (residual, branch) = quiet(1);
    // What stands behind a silent meter does not stand in for it.
    assert_eq!(residual.unwrap_err().meters(), ["hall"]);
    assert_eq!(branch.rest.unwrap_err().meters(), ["hall"]);
}

#[test]
fn heat_behind_a_feed_is_the_same_tree_and_a_boiler_counts_in_both_networks() {
    let park = park(&[
        ("feed", "heat_feed", ""),
        ("bakery", "heat_consumer", "feed"),
        ("hall", "tenant", ""),
        ("rod", "electric_boiler", "hall"),
    ]);
    let ids = |carrier, term| -> Vec<MeterIndex> { members(&park, carrier, term) };
    assert_eq!(ids(Carrier::Heat, Term::HeatConsumer), [1]);
    assert_eq!(ids(Carrier::Electricity, Term::Load), [2]);
    assert_eq!(ids(Carrier::Heat, Term::ElectricBoilerHeat), [3]);
    let found = branch_powers(&park, &says(&park, &[100.0, 90.0, 50.0, 20.0]));
    let rests: Vec<_> = found
        .iter()
        .map(|one| (&*one.parent, value(&one.rest)))
        .collect();
    assert_eq!(rests, [("feed", 10.0), ("hall", 30.0)]);
}

proptest! {
    /// Whatever tree, and whichever of its meters stand in the sum: what is used below
    /// at least one of them is counted once, and the rest not at all.
    #[test]
    fn nothing_is_counted_twice_in_any_tree(
        nodes in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), 0_i32..1_000), 1..40),
    ) {
        // A node stands behind an earlier one, or behind none.
        let before: Vec<Option<usize>> = nodes
            .iter()
            .enumerate()
            .map(|(place, (index, ..))| index.index(place + 1).checked_sub(1))
            .collect();
        let path = |place: usize| std::iter::successors(Some(place), |at| before[*at]);
        let names: Vec<String> = (0..nodes.len()).map(|place| format!("m{place}")).collect();
        let rows: Vec<(&str, &str, &str)> = nodes
            .iter()
            .enumerate()
            .map(|(place, (_, counted, _))| {
                let role = if *counted { "tenant" } else { "monitor" };
                let behind = before[place].map_or("", |before| &names[before]);
                (&*names[place], role, behind)
            })
            .collect();
        let park = park(&rows);
        // A meter shows what is used at its place and everything behind it.
        let mut said = vec![0.0; nodes.len()];
        let mut below_one = 0.0;
        for (place, (.., used)) in nodes.iter().enumerate() {
            path(place).for_each(|at| said[at] += f64::from(*used));
            if path(place).any(|at| nodes[at].1) {
                below_one += f64::from(*used);
            }
        }
        let counted: f64 = members(&park, Carrier::Electricity, Term::Load)
            .into_iter()
            .map(|index| said[index])
            .sum();
        prop_assert_eq!(counted, below_one);
    }
}
