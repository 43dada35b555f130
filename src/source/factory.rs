//! Which source an artifact has: said here, and nowhere else.

use super::{Answer, Credentials, Error, HttpRequest, Start, http};
use crate::artifact::{AddressRule, ArtifactUrl};

/// Makes the sources.
#[derive(Clone)]
pub struct Factory {
    http: http::Factory,
}

/// Where one artifact is to be had, and the engine that gets it from there.
pub struct Source {
    location: Location,
    engine: http::Http,
}

/// Where an artifact is, as whoever wants it has written it.
enum Location {
    /// `http` and `https`, the only schemes that an [`ArtifactUrl`] has so far.
    Http(HttpRequest),
}

impl Factory {
    /// Sources that ask over HTTP in this way.
    pub fn new(http: http::Factory) -> Self {
        Self { http }
    }

    /// What of the settings decides whose bytes are believed: part of the trust context (law 7).
    pub fn identity(&self) -> &[u8] {
        self.http.identity()
    }

    /// The source of one artifact, whose connections live in the runtime that first uses it.
    pub fn source(
        &self,
        url: &ArtifactUrl,
        address_rule: &AddressRule,
        credentials: &Credentials,
    ) -> Source {
        Source {
            location: Location::Http(HttpRequest {
                url: url.clone(),
                credentials: credentials.clone(),
            }),
            engine: self.http.client(address_rule),
        }
    }
}

impl Source {
    /// Asks for the object. Returns as soon as the answer's head is there; the body is read by the caller.
    pub async fn open(&self, start: &Start) -> Result<Answer, Error> {
        first_answer(&self.engine, self.location.resolve(), start).await
    }
}

impl Location {
    /// The requests that may bring the object, in their order; the error of the last one is what is said.
    fn resolve(&self) -> (&[HttpRequest], &HttpRequest) {
        match self {
            Self::Http(request) => (&[], request),
        }
    }
}

async fn first_answer(
    engine: &http::Http,
    (before, last): (&[HttpRequest], &HttpRequest),
    start: &Start,
) -> Result<Answer, Error> {
    for request in before {
        match engine.open(request, start).await {
            Err(error) => tracing::info!(%error, "trying the next URL"),
            answer => return answer,
        }
    }
    engine.open(last, start).await
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn requests_are_tried_in_their_order_until_one_is_answered() {
        let origin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = format!("http://{}/a", origin.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut client, _) = origin.accept().await.unwrap();
            let _ = client.read(&mut [0; 1024]).await;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
            client.write_all(answer).await.unwrap();
            std::future::pending::<()>().await;
        });
        let request = |url: &str| HttpRequest {
            url: url.parse().unwrap(),
            credentials: Credentials::default(),
        };
        let [open, one, other] = [
            open.as_str(),
            "http://169.254.0.1/a",
            "http://169.254.0.2/a",
        ]
        .map(request);
        let engine = http::Factory::idle()
            .unwrap()
            .client(&AddressRule::default());
        let (one, start) = ([one], Start::Beginning);
        let Err(error) = first_answer(&engine, (&one, &other), &start).await else {
            panic!("nobody can have answered");
        };
        assert!(error.to_string().contains("169.254.0.2/a"), "{error}");
        let answer = first_answer(&engine, (&one, &open), &start).await;
        assert!(matches!(answer, Ok(Answer::Object(o)) if o.facts.length == Some(7)));
    }
}
