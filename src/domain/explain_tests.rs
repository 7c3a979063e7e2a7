//! The table of terms against the balance itself.

use proptest::prelude::*;

use super::*;
use crate::domain::balance::powers;
use crate::domain::flow::{FLOWS, Known};
use crate::domain::meter::{Freshness, Meter, Point, Quantity, ROLES};
use crate::domain::topology::{Placed, Topology};

/// Two meters of every role, with every load metered.
fn park() -> Park {
    let point = |name: &str| Point {
        quantity: Quantity::named(name).unwrap(),
        register: None,
    };
    let meter = |nth: usize| {
        let role = &ROLES[nth % ROLES.len()];
        Meter {
            id: format!("{}-{nth}", role.name).into(),
            role,
            points: vec![point("power"), point("heat_power")],
            freshness: Freshness::UntilChanged,
            period: std::time::Duration::from_secs(1),
            rated: None,
            heat_from_flow: None,
            rated_heat: None,
        }
    };
    Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters: (0..2 * ROLES.len()).map(meter).collect(),
        every_load_metered: true,
        losses: None,
        relations: crate::domain::relations::Relations::default(),
    }
}

proptest! {
    /// Whatever the meters say, a flow is the sum of its terms, and of what is named beside.
    #[test]
    fn a_flow_is_what_its_terms_add_up_to(
        said in prop::collection::vec((-1_000_i32..1_000, -1_000_i32..1_000), 2 * ROLES.len()),
    ) {
        let park = park();
        let power = |index: MeterIndex, carrier: Carrier| {
            let (electricity, heat) = said[index];
            f64::from(if carrier == Carrier::Electricity { electricity } else { heat })
        };
        let flows = powers(&park, &|index, carrier| Ok(Known::given(power(index, carrier))));
        let sum = |carrier, part: Part| -> f64 {
            let of = |member: Member| {
                let power = power(member.meter, carrier);
                let way = (if member.channel.positive { power } else { -power }).max(0.0);
                if member.adds { way } else { -way }
            };
            members(&park, carrier, part).into_iter().map(of).sum::<f64>()
        };
        for row in &FLOWS {
            let made = made(row.flow);
            let mut expected: f64 = made.parts.iter().map(|part| sum(row.carrier, *part)).sum();
            let stated = flows.of(row.flow);
            match row.flow {
                // Attribution, not a sum; and what the configuration says.
                Flow::SelfConsumption | Flow::Losses => {
                    prop_assert!(made.besides.is_some());
                    continue;
                }
                // The network has a feed: it is what leaves, in place of the consumers.
                Flow::HeatResidual => {
                    let feed = made_net(Term::HeatFeed);
                    expected += feed.iter().map(|part| sum(row.carrier, *part)).sum::<f64>();
                }
                _ => {}
            }
            let value = stated.as_ref().map(|known| known.value);
            prop_assert_eq!(value, Ok(expected), "{}", row.name);
        }
    }
}

fn made_net(term: Term) -> [Part; 2] {
    [part(term, true, false), part(term, false, true)]
}

#[test]
fn a_meter_behind_another_of_its_term_is_no_part_of_the_sum() {
    let mut park = park();
    park.meters[1].role = park.meters[0].role;
    let first = std::sync::Arc::clone(&park.meters[0].id);
    let placed = |(index, meter): (usize, &Meter)| Placed {
        meter: std::sync::Arc::clone(&meter.id),
        behind: (index == 1).then(|| std::sync::Arc::clone(&first)),
    };
    let placed: Vec<Placed> = park.meters.iter().enumerate().map(placed).collect();
    park.relations.topology = Topology::new(&placed).unwrap();
    let grid = part(Term::Grid, true, true);
    let members: Vec<MeterIndex> = members(&park, Carrier::Electricity, grid)
        .into_iter()
        .map(|member| member.meter)
        .collect();
    assert_eq!(members, [0, ROLES.len()]);
}
