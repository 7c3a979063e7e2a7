//! An interval to allocate, by flags.

use std::str::FromStr;
use std::sync::Arc;

use super::allocate::{Given, Interval, kwh};
use super::decimal::Decimal;
use super::need;

/// One interval by flags.
#[derive(Debug, clap::Args)]
#[group(id = "numbers", multiple = true, conflicts_with = "file")]
pub struct Flags {
    /// static, static-redistributed, dynamic or cascade
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Unit of the energies: mWh, Wh, kWh or MWh [default: kWh]
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// What was generated
    #[arg(long, value_name = "ENERGY", allow_negative_numbers = true)]
    generation: Option<Decimal>,
    /// What a tenant used, once for each
    #[arg(long, value_name = "TENANT=ENERGY")]
    consumption: Vec<Named>,
    /// The share of a tenant, from 0 to 1, for a static key
    #[arg(long = "share", value_name = "TENANT=SHARE")]
    shares: Vec<Named>,
    /// Who comes first, for a cascade
    #[arg(long, value_name = "TENANT,TENANT", value_delimiter = ',')]
    order: Vec<String>,
}

/// `NAME=NUMBER`.
#[derive(Debug, Clone)]
struct Named {
    name: String,
    number: Decimal,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, number) = text
            .split_once('=')
            .ok_or("write TENANT=NUMBER, such as A=30.5")?;
        Ok(Self {
            name: name.to_owned(),
            number: number.parse()?,
        })
    }
}

impl Flags {
    /// The interval that they say.
    ///
    /// # Errors
    ///
    /// What is missing or said twice.
    pub fn given(&self) -> Result<Given, String> {
        if self.consumption.is_empty() {
            return Err("nobody used anything; say --consumption TENANT=ENERGY for each tenant, or --file FILE".to_owned());
        }
        let tenants: Vec<Arc<str>> = self
            .consumption
            .iter()
            .map(|one| one.name.as_str().into())
            .collect();
        if let Some(stranger) = self
            .shares
            .iter()
            .find(|one| !tenants.iter().any(|name| **name == *one.name))
        {
            return Err(format!(
                "--share {0} is of no tenant; say --consumption {0}=ENERGY too",
                stranger.name
            ));
        }
        let share = |name: &Arc<str>| {
            let mut own = self.shares.iter().filter(|one| one.name == **name);
            match (own.next(), own.next()) {
                (Some(one), None) => Ok(one.number),
                _ => Err(format!(
                    "a share is said once for each tenant; say one --share {name}=SHARE"
                )),
            }
        };
        let shares = if self.shares.is_empty() {
            Vec::new()
        } else {
            tenants.iter().map(share).collect::<Result<_, _>>()?
        };
        Ok(Given {
            key: need(self.key.as_ref(), "key")?.clone(),
            unit: self.unit.clone().unwrap_or_else(kwh),
            tenants,
            shares,
            order: self.order.clone(),
            intervals: vec![Interval {
                name: String::new(),
                generation: Some(*need(self.generation.as_ref(), "generation")?),
                consumption: self
                    .consumption
                    .iter()
                    .map(|one| Some(one.number))
                    .collect(),
            }],
        })
    }
}
