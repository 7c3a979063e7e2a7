//! The table of terms against the balance itself.

use proptest::prelude::*;

use super::*;
use crate::domain::balance::powers;
use crate::domain::flow::{FLOWS, Known};
use crate::domain::meter::TRANSFORMER_LOSS;
use crate::domain::meter::{Freshness, Meter, Point, Quantity, ROLES};
use crate::domain::relations::Compensation;
use crate::domain::topology::{Placed, Topology};
use crate::domain::transformer::{DataPlate, Transformer};

const GRIDS: [MeterIndex; 2] = [0, ROLES.len()];

/// Two meters of every role, with every load metered; both at the grid have a transformer,
/// one of the park's and one of the grid's, whose losses are the last meters.
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
    let mut meters: Vec<Meter> = (0..2 * ROLES.len()).map(meter).collect();
    let sides = [Boundary::GridSide, Boundary::ParkSide].into_iter();
    let compensation = |(grid, boundary): (MeterIndex, Boundary)| Compensation {
        meter: std::sync::Arc::clone(&meters[grid].id),
        loss: format!("{}-loss", meters[grid].id).into(),
        transformer: Transformer::new(&DataPlate {
            rated_va: 1e6,
            no_load_w: 1_000.0,
            load_w: 10_000.0,
            no_load_current_pct: 0.5,
            short_circuit_pct: 6.0,
        })
        .unwrap(),
        rated_v: 400.0,
        boundary,
    };
    let compensations: Vec<Compensation> = GRIDS.into_iter().zip(sides).map(compensation).collect();
    for one in &compensations {
        meters.push(Meter {
            id: std::sync::Arc::clone(&one.loss),
            role: &TRANSFORMER_LOSS,
            ..meter(0)
        });
    }
    Park {
        id: "p".into(),
        name: "P".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        settlement_minutes: 15,
        latitude: 0.0,
        longitude: 0.0,
        meters,
        every_load_metered: true,
        losses: None,
        relations: crate::domain::relations::Relations {
            compensations,
            ..crate::domain::relations::Relations::default()
        },
    }
}

proptest! {
    /// Whatever the meters say, a flow is the sum of its terms, and of what is named beside.
    #[test]
    fn a_flow_is_what_its_terms_add_up_to(
        said in prop::collection::vec((-1_000_i32..1_000, -1_000_i32..1_000), 2 * ROLES.len()),
        lost in prop::array::uniform2(0_i32..1_500),
    ) {
        let park = park();
        let power = |index: MeterIndex, carrier: Carrier| {
            if let Some(nth) = index.checked_sub(said.len()) {
                return f64::from(lost[nth]);
            }
            let (electricity, heat) = said[index];
            f64::from(if carrier == Carrier::Electricity { electricity } else { heat })
        };
        let flows = powers(&park, &|index, carrier| Ok(Known::given(power(index, carrier))));
        let sum = |carrier, part: Part| -> f64 {
            let of = |member: Member| {
                if let Some(nth) = member.meter.checked_sub(said.len()) {
                    // Import and export of both sides differ by it.
                    let metered = power(GRIDS[nth], carrier);
                    let lost = f64::from(lost[nth]);
                    let boundary = if nth == 0 { metered + lost } else { metered - lost };
                    let way = |power: f64| if member.channel.positive { power.max(0.0) } else { (-power).max(0.0) };
                    let part = (way(boundary) - way(metered)).abs();
                    return if member.adds { part } else { -part };
                }
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
                // Attribution, not a sum.
                Flow::SelfConsumption => {
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
    let members: Vec<(MeterIndex, bool)> = members(&park, Carrier::Electricity, grid)
        .into_iter()
        .map(|member| (member.meter, member.adds))
        .collect();
    // Each is followed by what its transformer took.
    let losses = 2 * ROLES.len();
    let [first, second] = GRIDS;
    assert_eq!(
        members,
        [
            (first, true),
            (losses, true),
            (second, true),
            (losses + 1, false)
        ]
    );
}
