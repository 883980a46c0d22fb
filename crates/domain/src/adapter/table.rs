//! The table itself.

use super::{
    Adapter, Field,
    Kind::{Bool, Ignored, Int, Secret, Text, Texts, With, Words},
    Need,
};

const PORT: super::Kind = Int(1, 65_535);
const LINE: super::Kind = Text(1024);
const COUNT: super::Kind = Int(0, 86_400_000);

const fn must(name: &'static str, kind: super::Kind) -> Field {
    Field { name, kind, need: Need::Required, key: name }
}

const fn may(name: &'static str, kind: super::Kind) -> Field {
    Field { name, kind, need: Need::Optional, key: name }
}

impl Field {
    /// Goes under another key.
    const fn to(self, key: &'static str) -> Self {
        Self { key, ..self }
    }

    /// Is this unless given.
    const fn or(self, need: Need) -> Self {
        Self { need, ..self }
    }

    /// Is not written.
    const fn unwritten(self) -> Self {
        self.to("")
    }
}

const ADAPTER_ID: Field = may("adapter_id", Ignored).unwritten();
const ODBC: &str = "ODBC Driver 18 for SQL Server";

/// All platforms, in the order of their versions.
pub(super) static ADAPTERS: &[Adapter] = &[
    Adapter {
        version: "apache_spark_v0",
        title: "Apache Spark",
        word: "adapter",
        dbt: "spark",
        fixed: &[],
        connection: &[
            must("host", LINE),
            must("cluster", LINE),
            may("method", Words(&["http", "thrift"])).or(Need::Text("http")),
            may("connect_timeout", COUNT).or(Need::Int(10)),
            may("connect_retries", COUNT).or(Need::Int(0)),
            may("organization", LINE),
            may("user", LINE),
            may("auth", LINE),
            may("kerberos_service_name", LINE),
            may("port", PORT).or(Need::Int(443)),
            ADAPTER_ID,
        ],
        credential: &[may("token", Secret), may("password", Secret)],
    },
    Adapter {
        version: "athena_v0",
        title: "Amazon Athena",
        word: "adapter",
        dbt: "athena",
        fixed: &[],
        connection: &[
            must("region_name", LINE),
            must("database", LINE),
            may("work_group", LINE),
            may("spark_work_group", LINE),
            must("s3_staging_dir", LINE),
            may("s3_data_dir", LINE),
            may("s3_data_naming", LINE),
            may("s3_tmp_table_dir", LINE),
            may("poll_interval", COUNT),
            may("num_retries", COUNT),
            may("num_boto3_retries", COUNT),
            may("num_iceberg_retries", COUNT),
            ADAPTER_ID,
        ],
        credential: &[may("aws_access_key_id", Secret), may("aws_secret_access_key", Secret)],
    },
    bigquery(
        "bigquery_v0",
        &[
            must("project_id", Text(255)).to("project"),
            must("timeout_seconds", Int(1, 86_400)).to("job_execution_timeout_seconds"),
            must("private_key_id", Text(255)).to("keyfile_json.private_key_id"),
            must("private_key", Secret).to("keyfile_json.private_key"),
            must("client_email", LINE).to("keyfile_json.client_email"),
            must("client_id", Text(255)).to("keyfile_json.client_id"),
            must("auth_uri", LINE).to("keyfile_json.auth_uri"),
            must("token_uri", LINE).to("keyfile_json.token_uri"),
            must("auth_provider_x509_cert_url", LINE)
                .to("keyfile_json.auth_provider_x509_cert_url"),
            must("client_x509_cert_url", LINE).to("keyfile_json.client_x509_cert_url"),
            may("priority", Words(&["interactive", "batch"])),
            may("scopes", Texts),
            may("location", Text(255)),
            may("maximum_bytes_billed", Int(0, i64::MAX)),
            may("execution_project", LINE),
            may("impersonate_service_account", LINE),
            may("retries", Int(0, 60)).or(Need::Int(1)).to("job_retries"),
            may("job_retry_deadline_seconds", COUNT),
            may("job_creation_timeout_seconds", COUNT),
            may("application_id", Secret).unwritten(),
            may("application_secret", Secret).unwritten(),
            may("gcs_bucket", LINE),
            may("dataproc_region", LINE),
            may("dataproc_cluster_name", LINE),
            may("api_endpoint", LINE),
        ],
    ),
    bigquery(
        "bigquery_v1",
        &[
            may("deployment_env_auth_type", Words(&["service-account-json"]))
                .or(Need::Text("service-account-json"))
                .unwritten(),
            must("project_id", Text(255)).to("project"),
            may("private_key_id", Text(255)).to("keyfile_json.private_key_id"),
            may("private_key", Secret).to("keyfile_json.private_key"),
            may("client_email", LINE).to("keyfile_json.client_email"),
            may("client_id", Text(255)).to("keyfile_json.client_id"),
            may("auth_uri", LINE).to("keyfile_json.auth_uri"),
            may("token_uri", LINE).to("keyfile_json.token_uri"),
            may("auth_provider_x509_cert_url", LINE).to("keyfile_json.auth_provider_x509_cert_url"),
            may("client_x509_cert_url", LINE).to("keyfile_json.client_x509_cert_url"),
            may("job_execution_timeout_seconds", Int(1, 86_400)),
            may("priority", Words(&["interactive", "batch"])),
            may("scopes", Texts),
            may("location", Text(255)),
            may("maximum_bytes_billed", Int(0, i64::MAX)),
            may("execution_project", LINE),
            may("impersonate_service_account", LINE),
            may("retries", Int(0, 60)).to("job_retries"),
            may("job_retry_deadline_seconds", COUNT),
            may("job_creation_timeout_seconds", COUNT),
            may("application_id", Secret).unwritten(),
            may("application_secret", Secret).unwritten(),
            may("gcs_bucket", LINE),
            may("dataproc_region", LINE),
            may("dataproc_cluster_name", LINE),
            may("api_endpoint", LINE),
            ADAPTER_ID,
        ],
    ),
    Adapter {
        version: "databricks_spark_v0",
        title: "Databricks (Spark)",
        word: "adapter",
        dbt: "spark",
        fixed: &[],
        connection: &[
            must("host", LINE),
            may("method", Words(&["odbc"])).or(Need::Text("odbc")),
            may("port", PORT).or(Need::Int(443)),
            may("cluster", LINE),
            may("endpoint", LINE),
            may("driver", LINE).or(Need::Text("/opt/simba/spark/lib/64/libsparkodbc_sb64.so")),
            may("organization", LINE),
            may("user", LINE),
            ADAPTER_ID,
        ],
        credential: &[may("token", Secret)],
    },
    Adapter {
        version: "databricks_v0",
        title: "Databricks",
        word: "adapter",
        dbt: "databricks",
        fixed: &[],
        connection: &[
            must("host", With(|text| text.contains("databricks"), "must be a host of databricks")),
            must(
                "http_path",
                With(
                    |text| text.trim_start_matches('/').starts_with("sql/"),
                    "must begin with `/sql/`",
                ),
            ),
            may("catalog", LINE),
            may("client_id", Secret),
            may("client_secret", Secret),
            may("scopes", Texts).unwritten(),
            ADAPTER_ID,
        ],
        credential: &[
            may("auth_type", Words(&["token", "oauth"])),
            may("catalog", LINE),
            may("token", Secret),
            may("client_id", Secret),
            may("client_secret", Secret),
        ],
    },
    Adapter {
        version: "duckdb_v0",
        title: "DuckDB",
        word: "adapter",
        dbt: "duckdb",
        fixed: &[],
        connection: &[must("path", Text(255))],
        credential: &[],
    },
    sql_server("fabric_v0", "Microsoft Fabric", "fabric", FABRIC),
    Adapter {
        version: "postgres_v0",
        title: "PostgreSQL",
        word: "postgres",
        dbt: "postgres",
        fixed: &[],
        connection: &[
            must("hostname", Text(1024)).to("host"),
            must("dbname", Text(63)),
            may("port", PORT).or(Need::Int(5432)),
            may("retries", Int(0, 10)),
        ],
        credential: &[must("user", Text(255)), may("password", Secret)],
    },
    Adapter {
        version: "redshift_v0",
        title: "Amazon Redshift",
        word: "redshift",
        dbt: "redshift",
        fixed: &[],
        connection: &[
            must("hostname", LINE).to("host"),
            must("dbname", LINE),
            may("port", PORT).or(Need::Int(5439)),
            may("retries", Int(0, 10)),
        ],
        credential: &[
            may("auth_type", Words(&["password"])).or(Need::Text("password")).unwritten(),
            must("user", Text(255)),
            may("password", Secret),
        ],
    },
    Adapter {
        version: "salesforce_v0",
        title: "Salesforce Data Cloud",
        word: "adapter",
        dbt: "salesforce",
        fixed: &[],
        connection: &[
            must("login_url", Text(255)),
            may("database", Text(255)).or(Need::Text("default")),
            may("data_transform_run_timeout", COUNT).or(Need::Int(180_000)),
            may("auth_type", Words(&["jwt_bearer"])).or(Need::Text("jwt_bearer")).to("method"),
            ADAPTER_ID,
        ],
        credential: &[
            must("username", Text(255)),
            may("client_id", Secret),
            may("private_key", Secret),
        ],
    },
    Adapter {
        version: "snowflake_v0",
        title: "Snowflake",
        word: "snowflake",
        dbt: "snowflake",
        fixed: &[],
        connection: &[
            must("account", Text(255)),
            must("database", Text(255)),
            must("warehouse", Text(255)),
            may("client_session_keep_alive", Bool).or(Need::Bool(false)),
            may("role", Text(255)),
            may("allow_sso", Bool).or(Need::Bool(false)).unwritten(),
            may("oauth_client_id", Secret).unwritten(),
            may("oauth_client_secret", Secret).unwritten(),
        ],
        credential: &[
            may("auth_type", Words(&["password", "keypair"]))
                .or(Need::Text("password"))
                .unwritten(),
            must("user", Text(255)),
            may("role", Text(255)),
            may("database", Text(255)),
            may("warehouse", Text(255)),
            may("password", Secret),
            may("private_key", Secret),
            may("private_key_passphrase", Secret),
        ],
    },
    sql_server("synapse_v0", "Azure Synapse", "synapse", SYNAPSE),
    Adapter {
        version: "teradata_v0",
        title: "Teradata",
        word: "adapter",
        dbt: "teradata",
        fixed: &[],
        connection: &[
            must("host", LINE),
            may("port", Text(5)),
            may("tmode", Words(&["ANSI"])).or(Need::Text("ANSI")),
            may("retries", COUNT),
            may("request_timeout", COUNT),
            ADAPTER_ID,
        ],
        credential: &[must("user", Text(255)), may("password", Secret)],
    },
    Adapter {
        version: "trino_v0",
        title: "Starburst or Trino",
        word: "adapter",
        dbt: "trino",
        fixed: &[("http_scheme", "https")],
        connection: &[
            must("host", LINE),
            may("method", LINE).or(Need::Text("ldap")),
            may("port", PORT).or(Need::Int(443)),
            ADAPTER_ID,
        ],
        credential: &[
            must("user", Text(255)),
            must("database", Text(255)),
            may("password", Secret),
        ],
    },
];

const fn bigquery(version: &'static str, connection: &'static [Field]) -> Adapter {
    Adapter {
        version,
        title: "BigQuery",
        word: "bigquery",
        dbt: "bigquery",
        fixed: &[("method", "service-account-json"), ("keyfile_json.type", "service_account")],
        connection,
        credential: &[],
    }
}

const LOGINS: &[&str] =
    &["sql", "ActiveDirectoryPassword", "ServicePrincipal", "ActiveDirectoryServicePrincipal"];

/// Fabric and Synapse differ in what they call the server.
const fn sql_server(
    version: &'static str,
    title: &'static str,
    dbt: &'static str,
    connection: &'static [Field],
) -> Adapter {
    Adapter { version, title, word: "adapter", dbt, fixed: &[], connection, credential: SQL_SERVER }
}

const SQL_SERVER: &[Field] = &[
    may("authentication", Words(LOGINS)).or(Need::Text("ServicePrincipal")),
    may("user", Text(255)),
    may("password", Secret),
    may("tenant_id", Text(255)),
    may("client_id", Text(255)),
    may("client_secret", Secret),
    may("schema_authorization", Text(255)),
];

const FABRIC: &[Field] = &[
    must("server", LINE),
    must("database", LINE),
    may("driver", LINE).or(Need::Text(ODBC)),
    may("port", PORT).or(Need::Int(1433)),
    may("retries", COUNT).or(Need::Int(1)),
    may("login_timeout", COUNT).or(Need::Int(0)),
    may("query_timeout", COUNT).or(Need::Int(0)),
    ADAPTER_ID,
];

const SYNAPSE: &[Field] = &[
    must("host", LINE).to("server"),
    must("database", LINE),
    may("driver", LINE).or(Need::Text(ODBC)),
    may("port", PORT).or(Need::Int(1433)),
    may("retries", COUNT).or(Need::Int(1)),
    may("login_timeout", COUNT).or(Need::Int(0)),
    may("query_timeout", COUNT).or(Need::Int(0)),
    ADAPTER_ID,
];
