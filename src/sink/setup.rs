//! `influx setup`: is the database there, has it the bucket, may this token use it?
//!
//! Permissions are asked for by using them. Writing is tried with a text that holds
//! a comment and no row: the server checks the token and the bucket, and stores
//! nothing. Reading is tried with the query of the audit over one millisecond of
//! 1970. A token that may only write and read sees no organisation and no bucket;
//! that is said, and is no fault.

use std::time::Duration;

use influxdb2::api::buckets::ListBucketsRequest;
use influxdb2::api::organization::ListOrganizationRequest;
use influxdb2::models::{PostBucketRequest, Query, RetentionRule, health, retention_rule};
use jiff::Timestamp;
use serde::Serialize;

use super::audit;
use super::influx::Settings;
use super::relay::{CommandError, Relay};

/// Shortest retention of InfluxDB.
const HOUR_S: u64 = 3_600;

/// What was found, and what was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetupReport {
    /// Name and version of the server.
    pub server: String,
    /// Whether the server says that it is well.
    pub healthy: bool,
    /// The bucket.
    pub bucket: BucketFound,
    /// Retention of the bucket in seconds, 0 for ever; none where it cannot be seen.
    pub retention_s: Option<u64>,
    /// The retention that was asked for, where the bucket has another one. It is not
    /// changed: a shorter one deletes.
    pub retention_wanted_s: Option<u64>,
    /// Whether the token may write; if not, the server's words.
    pub may_write: Permission,
    /// Whether the token may read, which the audit needs.
    pub may_read: Permission,
    /// Our clock minus the server's, in seconds, where it tells the time.
    pub clock_off_s: Option<i64>,
}

impl SetupReport {
    /// Whether the daemon can deliver.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.healthy && self.may_write.granted
    }
}

/// What became of the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BucketFound {
    /// It is new.
    Created,
    /// It was there.
    Present,
    /// The token may not see it; the permissions tell the rest.
    Hidden,
}

/// An answer to "may I".
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Permission {
    /// Yes.
    pub granted: bool,
    /// Why not.
    pub words: Option<String>,
}

impl Permission {
    fn from<T>(asked: Result<T, CommandError>) -> Result<Self, CommandError> {
        match asked {
            Ok(_) => Ok(Self {
                granted: true,
                words: None,
            }),
            // The body is looked at after the permission.
            Err(CommandError::Refused {
                status: 400, words, ..
            }) if words.contains("requires points") => Ok(Self {
                granted: true,
                words: None,
            }),
            Err(error @ CommandError::Refused { .. }) => Ok(Self {
                granted: false,
                words: Some(error.to_string()),
            }),
            Err(error) => Err(error),
        }
    }
}

/// Looks at the server, makes the bucket if it is not there, and tries the token.
/// `retention` is for a new bucket; none keeps its rows for ever.
///
/// # Errors
///
/// [`CommandError`] where nothing answers, or something that is not InfluxDB 2.
pub async fn setup(
    settings: &Settings,
    retention: Option<Duration>,
) -> Result<SetupReport, CommandError> {
    let wanted_s = retention.map(whole_seconds_of).transpose()?;
    let relay = Relay::open(settings).await?;
    let health = relay
        .ask("health", |client| async move { client.health().await })
        .await
        .map_err(|error| elsewhere(settings, error))?;
    let version = health.version.unwrap_or_default();
    let (bucket, retention_s) = match organisation(&relay, &relay.org).await? {
        Some(org_id) => bucket(&relay, org_id, wanted_s).await?,
        None => (BucketFound::Hidden, None),
    };
    let may_write = Permission::from(try_to_write(&relay).await)?;
    if let (BucketFound::Hidden, Some(words)) = (bucket, &may_write.words) {
        return Err(CommandError::NoAccess {
            org: relay.org.clone(),
            bucket: relay.bucket.clone(),
            words: words.clone(),
        });
    }
    Ok(SetupReport {
        server: format!("{} {version}", health.name).trim().to_owned(),
        healthy: health.status == health::Status::Pass,
        bucket,
        retention_s,
        retention_wanted_s: wanted_s.filter(|_| retention_s.is_some() && retention_s != wanted_s),
        may_write,
        may_read: Permission::from(try_to_read(&relay).await)?,
        clock_off_s: relay.clock_off_s(),
    })
}

/// What has no health that can be read is no InfluxDB 2.
fn elsewhere(settings: &Settings, error: CommandError) -> CommandError {
    match error {
        error @ CommandError::Strange { .. }
        | error @ CommandError::Refused { status: 404, .. } => CommandError::Elsewhere {
            url: settings.url.clone(),
            words: error.to_string(),
        },
        error => error,
    }
}

fn whole_seconds_of(retention: Duration) -> Result<u64, CommandError> {
    let seconds = retention.as_secs();
    if seconds < HOUR_S || i32::try_from(seconds).is_err() || retention.subsec_nanos() > 0 {
        return Err(CommandError::Retention(retention));
    }
    Ok(seconds)
}

/// The id of the organisation; none where the token may not see it or it is not there.
async fn organisation(relay: &Relay, name: &str) -> Result<Option<String>, CommandError> {
    let request = ListOrganizationRequest {
        org: Some(name.to_owned()),
        ..ListOrganizationRequest::default()
    };
    let found = relay
        .ask("organisation", |client| async move {
            client.list_organizations(request).await
        })
        .await;
    match found {
        Ok(found) => Ok(found
            .orgs
            .into_iter()
            .find(|org| org.name == name)
            .and_then(|org| org.id)),
        Err(CommandError::Refused {
            status: 401 | 403 | 404,
            ..
        }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn bucket(
    relay: &Relay,
    org_id: String,
    wanted_s: Option<u64>,
) -> Result<(BucketFound, Option<u64>), CommandError> {
    let name = relay.bucket.clone();
    let request = ListBucketsRequest {
        name: Some(name.clone()),
        org_id: Some(org_id.clone()),
        ..ListBucketsRequest::default()
    };
    let found = relay
        .ask("bucket", |client| async move {
            client.list_buckets(Some(request)).await
        })
        .await;
    let buckets = match found {
        Ok(found) => found.buckets,
        Err(CommandError::Refused { status: 404, .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    if let Some(bucket) = buckets.into_iter().find(|bucket| bucket.name == name) {
        let seconds = bucket
            .retention_rules
            .first()
            .map_or(0, |rule| rule.every_seconds);
        return Ok((BucketFound::Present, u64::try_from(seconds).ok()));
    }
    let mut request = PostBucketRequest::new(org_id, name);
    let seconds = wanted_s.and_then(|seconds| i32::try_from(seconds).ok());
    if let Some(seconds) = seconds {
        request.retention_rules = vec![RetentionRule::new(retention_rule::Type::Expire, seconds)];
    }
    relay
        .ask("new bucket", |client| async move {
            client.create_bucket(Some(request)).await
        })
        .await?;
    Ok((BucketFound::Created, Some(wanted_s.unwrap_or(0))))
}

async fn try_to_write(relay: &Relay) -> Result<(), CommandError> {
    let (org, bucket) = (relay.org.clone(), relay.bucket.clone());
    relay
        .ask("writing", |client| async move {
            let nothing = "# sunledger influx setup\n";
            client.write_line_protocol(&org, &bucket, nothing).await
        })
        .await
}

async fn try_to_read(relay: &Relay) -> Result<(), CommandError> {
    let measurement = crate::domain::schema::EVENT;
    let flux = audit::flux(&relay.bucket, measurement, None, Timestamp::UNIX_EPOCH, 1);
    let query = Query::new(flux);
    relay
        .ask("reading", |client| async move {
            client.query_raw(Some(query)).await.map(|_| ())
        })
        .await
}
