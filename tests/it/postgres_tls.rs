//! The way to a PostgreSQL server that is not on this machine's socket: only to the server that was meant.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::cluster::Cluster;
use crate::daemon::Service;

/// Loopback, and nobody else's: PostgreSQL's usual port is free there.
const ADDRESS: &str = "127.0.0.77";

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key as PEM; signed by itself without an `issuer`.
fn certificate(name: &str, (from, to): (i32, i32), issuer: Option<&Authority>) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    let made = match issuer {
        Some(issuer) => params.signed_by(&key, issuer),
        None => params.self_signed(&key),
    };
    (made.unwrap().pem(), key.serialize_pem())
}

/// A server that others reach by TLS only.
struct Server {
    cluster: Cluster,
    directory: String,
    shown: usize,
}

impl Server {
    async fn start() -> Self {
        let cluster = Cluster::start_with(&[&format!("listen_addresses={ADDRESS}")]);
        let url = cluster.url("postgres");
        let directory = url.rsplit_once("host=").unwrap().1.to_owned();
        let server = Self {
            cluster,
            directory,
            shown: 0,
        };
        server
            .keep(
                "pg_hba.conf",
                "local all all trust\nhost all all 127.0.0.0/8 trust",
            )
            .await;
        server.cluster.run("postgres", "CREATE DATABASE ledger").await;
        server
    }

    /// Puts a file beside the server's data, for its eyes only.
    async fn keep(&self, name: &str, text: &str) {
        let put = format!(
            "COPY (SELECT unnest(string_to_array($text${text}$text$, E'\\n')))
             TO PROGRAM 'umask 077; cat > {}/data/{name}'",
            self.directory
        );
        self.cluster.run("postgres", &put).await;
    }

    /// From now on it shows this certificate, or none.
    async fn shows(&mut self, certificate: Option<&(String, String)>) {
        self.shown += 1;
        let name = format!("shown-{}.crt", self.shown);
        let run = async |statement: String| self.cluster.run("postgres", &statement).await;
        if let Some((certificate, key)) = certificate {
            self.keep(&name, certificate).await;
            self.keep(&format!("{name}.key"), key).await;
            run(format!("ALTER SYSTEM SET ssl_key_file = '{name}.key'")).await;
        }
        run(format!("ALTER SYSTEM SET ssl_cert_file = '{name}'")).await;
        run(format!("ALTER SYSTEM SET ssl = {}", certificate.is_some())).await;
        run("SELECT pg_reload_conf()".to_owned()).await;
        // A session knows what the server knew when it began.
        while setting(&self.cluster.url("postgres"), "ssl_cert_file").await != name {
            tokio::task::yield_now().await;
        }
    }

    fn url(&self, more: &str) -> String {
        format!("postgres://postgres@{ADDRESS}/ledger?sslmode=verify-full{more}")
    }
}

async fn setting(url: &str, name: &str) -> String {
    let options: PgConnectOptions = url.parse().unwrap();
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let shown = sqlx::query_scalar(AssertSqlSafe(format!("SHOW {name}")))
        .fetch_one(&mut connection)
        .await;
    connection.close().await.unwrap();
    shown.unwrap()
}

fn naming(ca: &Path) -> String {
    format!("&sslrootcert={}", ca.display())
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn only_the_server_that_was_meant_gets_to_know_anything() {
    let mut server = Server::start().await;
    let service = Service::new().await;
    let (trusted, stranger) = (authority("trusted"), authority("stranger"));
    let ca = service.path("ca.pem");
    let pem = |authority: &Authority| {
        let certificate: &rcgen::Certificate = authority.as_ref();
        certificate.pem()
    };
    std::fs::write(&ca, pem(&trusted)).unwrap();
    let ours = naming(&ca);
    let nowhere = naming(&service.path("no-such-ca.pem"));
    let years = (2020, 2099);
    let right = certificate(ADDRESS, years, Some(&trusted));
    let cases = [
        ("the server that was meant", Some(right.clone()), &*ours, 0, ""),
        (
            "another name",
            Some(certificate("db.example", years, Some(&trusted))),
            &ours,
            78,
            "is for another name",
        ),
        (
            "an authority that nobody named",
            Some(certificate(ADDRESS, years, Some(&stranger))),
            &ours,
            78,
            "sslrootcert=",
        ),
        (
            "signed by itself",
            Some(certificate(ADDRESS, years, None)),
            &ours,
            78,
            "sslrootcert=",
        ),
        (
            "an authority that this machine does not know",
            Some(right.clone()),
            "",
            78,
            "sslrootcert=",
        ),
        (
            "expired",
            Some(certificate(ADDRESS, (2020, 2021), Some(&trusted))),
            &ours,
            78,
            "renew the server's certificate",
        ),
        (
            "not valid yet",
            Some(certificate(ADDRESS, (2090, 2099), Some(&trusted))),
            &ours,
            78,
            "this machine's clock",
        ),
        ("no TLS", None, &ours, 78, "turn on `ssl`"),
        (
            "no file of the CA",
            Some(right),
            &nowhere,
            78,
            "must be able to read them",
        ),
    ];
    let policies = service.path("policies.toml");
    let text = std::fs::read_to_string(&policies).unwrap();
    let plain = text.lines().find(|line| line.starts_with("url = ")).unwrap();
    for (case, shown, more, code, words) in cases {
        server.shows(shown.as_ref()).await;
        let url = server.url(more);
        let state = service.dir.path().display();
        let lines = format!("url = \"{url}\"\nstate_dir = \"{state}\"");
        std::fs::write(&policies, text.replace(plain, &lines)).unwrap();
        let output = service.run(&["sweep"]).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{case}: {said}");
        let place = format!("database ledger at {ADDRESS}:5432");
        assert!(code == 0 || said.contains(&place), "{case}: {said}");
        assert!(said.contains(words), "{case}: {said}");
    }
    // What was let through went encrypted: in the clear the server does not even answer.
    let hba = "local all all trust\nhostssl all all 127.0.0.0/8 trust";
    server.keep("pg_hba.conf", hba).await;
    server
        .shows(Some(&certificate(ADDRESS, years, Some(&trusted))))
        .await;
    let clear: PgConnectOptions = server.url(&ours).parse().unwrap();
    assert!(
        PgConnection::connect_with(&clear.ssl_mode(PgSslMode::Disable))
            .await
            .is_err()
    );
    let lines = format!(
        "url = \"{}\"\nstate_dir = \"{}\"",
        server.url(&ours),
        service.dir.path().display()
    );
    std::fs::write(&policies, text.replace(plain, &lines)).unwrap();
    let output = service.run(&["status"]).await;
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
}
