//! What differs from one database to another: the address, the login. Pure.
//!
//! | | address | login |
//! |---|---|---|
//! | InfluxDB 1 | `/write?db=…&precision=ms` | user and password |
//! | InfluxDB 2 | `/api/v2/write?org=…&bucket=…&precision=ms` | `Token …` |
//! | InfluxDB 3 | `/api/v3/write_lp?db=…&precision=millisecond&accept_partial=true` | `Bearer …` |
//! | VictoriaMetrics | `/write?precision=ms` | `Bearer …`, or user and password |
//!
//! What their answers mean is in [`answer`](super::answer). **A secret is in no address**:
//! it goes in a header that no log shows.

use std::path::PathBuf;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{RequestBuilder, Url};

use super::http;
use crate::sys::secret::Secret;

/// Which write API a server speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialect {
    /// InfluxDB 1.
    Influx1 {
        /// Database.
        database: String,
        /// Retention policy; the database's own where none is named.
        retention_policy: Option<String>,
    },
    /// InfluxDB 2.
    Influx2 {
        /// Organisation.
        org: String,
        /// Bucket.
        bucket: String,
    },
    /// InfluxDB 3.
    Influx3 {
        /// Database.
        database: String,
    },
    /// VictoriaMetrics.
    VictoriaMetrics,
}

impl Dialect {
    /// Where rows with times in milliseconds are posted to.
    #[must_use]
    pub fn write_url(&self, base: &Url) -> Url {
        let path = match self {
            Self::Influx1 { .. } | Self::VictoriaMetrics => "/write",
            Self::Influx2 { .. } => "/api/v2/write",
            Self::Influx3 { .. } => "/api/v3/write_lp",
        };
        let mut url = http::below(base, path);
        let mut query = url.query_pairs_mut();
        match self {
            Self::Influx1 {
                database,
                retention_policy,
            } => {
                query.append_pair("db", database);
                if let Some(policy) = retention_policy {
                    query.append_pair("rp", policy);
                }
                query.append_pair("precision", "ms");
            }
            Self::Influx2 { org, bucket } => {
                query.append_pair("org", org);
                query.append_pair("bucket", bucket);
                query.append_pair("precision", "ms");
            }
            Self::Influx3 { database } => {
                query.append_pair("db", database);
                query.append_pair("precision", "millisecond");
                query.append_pair("accept_partial", "true");
            }
            Self::VictoriaMetrics => {
                query.append_pair("precision", "ms");
            }
        }
        drop(query);
        url
    }

    /// What the database calls itself.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Influx1 { .. } => "InfluxDB 1",
            Self::Influx2 { .. } => "InfluxDB 2",
            Self::Influx3 { .. } => "InfluxDB 3",
            Self::VictoriaMetrics => "VictoriaMetrics",
        }
    }

    /// The word before a token.
    fn scheme(&self) -> &'static str {
        match self {
            Self::Influx1 { .. } | Self::Influx2 { .. } => "Token",
            Self::Influx3 { .. } | Self::VictoriaMetrics => "Bearer",
        }
    }
}

/// How a sink shows who it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Login {
    /// User, where the secret is a password.
    pub user: Option<String>,
    /// Token or password; none where the server asks for nothing.
    pub secret: Option<Secret>,
    /// Where the secret comes from; it is read again when the server refuses it.
    pub file: Option<PathBuf>,
}

impl Login {
    /// A token.
    #[must_use]
    pub fn token(secret: Secret) -> Self {
        Self {
            user: None,
            secret: Some(secret),
            file: None,
        }
    }

    /// `request` with `secret` as it is now.
    ///
    /// # Errors
    ///
    /// A sentence where a header cannot carry the secret; it never contains it.
    pub fn on(
        &self,
        request: RequestBuilder,
        dialect: &Dialect,
        secret: Option<&Secret>,
    ) -> Result<RequestBuilder, String> {
        let Some(secret) = secret else {
            return Ok(request);
        };
        if let Some(user) = &self.user {
            return Ok(request.basic_auth(user, Some(secret.expose())));
        }
        let odd = || "the token has a character that no token has".to_owned();
        if let Some(fact) = unfit(secret) {
            return Err(fact);
        }
        let text = format!("{} {}", dialect.scheme(), secret.expose());
        let mut header = HeaderValue::from_str(&text).map_err(|_| odd())?;
        header.set_sensitive(true);
        Ok(request.header(AUTHORIZATION, header))
    }
}

/// What is wrong with a token, if anything is; a sentence with a remedy.
#[must_use]
pub fn unfit(token: &Secret) -> Option<String> {
    let text = token.expose();
    let remedy = "put the token alone into the file, on one line";
    if text.is_empty() {
        Some(format!("the token is empty; {remedy}"))
    } else if text.contains(['\n', '\r']) {
        Some(format!("the token has a line break in it; {remedy}"))
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Some(format!(
            "the token has a character that no token has; {remedy}"
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> RequestBuilder {
        let base = http::address("http://127.0.0.1:1").unwrap();
        http::client(&base, &http::Trust::default())
            .unwrap()
            .post(base)
    }

    fn influx1(retention_policy: Option<&str>) -> Dialect {
        Dialect::Influx1 {
            database: "energy 1".to_owned(),
            retention_policy: retention_policy.map(str::to_owned),
        }
    }

    #[test]
    fn each_database_has_its_address_and_a_path_is_kept() {
        let influx2 = Dialect::Influx2 {
            org: "park".to_owned(),
            bucket: "energy".to_owned(),
        };
        let influx3 = Dialect::Influx3 {
            database: "energy".to_owned(),
        };
        #[rustfmt::skip]
        let cases = [
            (influx1(None),            "https://db/x/write?db=energy+1&precision=ms"),
            (influx1(Some("a&b")),     "https://db/x/write?db=energy+1&rp=a%26b&precision=ms"),
            (influx2,                  "https://db/x/api/v2/write?org=park&bucket=energy&precision=ms"),
            (influx3,                  "https://db/x/api/v3/write_lp?db=energy&precision=millisecond&accept_partial=true"),
            (Dialect::VictoriaMetrics, "https://db/x/write?precision=ms"),
        ];
        for (dialect, url) in cases {
            let base = http::address("https://db/x/").unwrap();
            assert_eq!(dialect.write_url(&base).as_str(), url);
        }
    }

    #[test]
    fn each_database_is_shown_the_secret_in_its_way() {
        let secret = Secret::new("geheim");
        let token = Login::token(secret.clone());
        let password = Login {
            user: Some("park".to_owned()),
            ..token.clone()
        };
        let influx3 = Dialect::Influx3 {
            database: String::new(),
        };
        let victoria = Dialect::VictoriaMetrics;
        #[rustfmt::skip]
        let cases = [
            (&token,    &influx3,       "Bearer geheim"),
            (&token,    &victoria,      "Bearer geheim"),
            (&token,    &influx1(None), "Token geheim"),
            (&password, &influx1(None), "Basic cGFyazpnZWhlaW0="),
            (&password, &victoria,      "Basic cGFyazpnZWhlaW0="),
        ];
        for (login, dialect, text) in cases {
            let request = login.on(request(), dialect, Some(&secret)).unwrap();
            let request = request.build().unwrap();
            let header = &request.headers()[AUTHORIZATION];
            assert_eq!(header.to_str().unwrap(), text);
            assert!(header.is_sensitive());
        }
        let open = Login::default().on(request(), &victoria, None).unwrap();
        assert!(open.build().unwrap().headers().is_empty());
    }

    #[test]
    fn a_token_that_no_server_can_have_given_is_named_and_not_shown() {
        #[rustfmt::skip]
        let cases = [
            ("first\nsecond", "line break"),
            ("first\r\nb",    "line break"),
            ("\n",            "empty"),
            ("two words",     "character"),
            ("schlüssel",     "character"),
        ];
        for (text, fact) in cases {
            let words = Login::token(Secret::new(text))
                .on(
                    request(),
                    &Dialect::VictoriaMetrics,
                    Some(&Secret::new(text)),
                )
                .unwrap_err();
            assert!(words.contains(fact), "{words}");
            assert!(
                !words.contains("first") && !words.contains("words"),
                "{words}"
            );
        }
        assert_eq!(unfit(&Secret::new("abc-DEF_123==\n")), None);
    }
}
