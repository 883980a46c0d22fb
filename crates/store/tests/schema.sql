CREATE TABLE "accounts" ( "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  "name" text NOT NULL,
  "plan" text NOT NULL,
  "identifier" text NOT NULL UNIQUE,
  "run_slots" integer NOT NULL,
  "tokens_may_mint" boolean NOT NULL,
  "created_at" integer NOT NULL,
  "updated_at" integer NOT NULL );
CREATE TABLE "audit_heads" ( "account_id" integer NOT NULL PRIMARY KEY,
  "seq" integer NOT NULL,
  "hash" blob NOT NULL,
  "key_id" integer NOT NULL,
  "mac" blob NOT NULL,
  FOREIGN KEY ("account_id") REFERENCES "accounts" ("id") );
CREATE TABLE "audit_records" ( "account_id" integer NOT NULL,
  "seq" integer NOT NULL,
  "at" integer NOT NULL,
  "actor" text NOT NULL,
  "event" text NOT NULL,
  "object" text NOT NULL,
  "project_id" integer NULL,
  "change" text NOT NULL,
  "address" text NULL,
  "agent" text NOT NULL,
  "request_id" text NOT NULL,
  "hash" blob NOT NULL, PRIMARY KEY ("account_id",
  "seq"),
  FOREIGN KEY ("account_id") REFERENCES "accounts" ("id") );
CREATE TABLE "events" ( "seq" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  "at" integer NOT NULL,
  "payload" text NOT NULL );
CREATE TABLE "group_members" ( "group_id" integer NOT NULL,
  "user_id" integer NOT NULL, PRIMARY KEY ("group_id",
  "user_id"),
  FOREIGN KEY ("group_id") REFERENCES "groups" ("id"),
  FOREIGN KEY ("user_id") REFERENCES "users" ("id") );
CREATE INDEX "group_members_user" ON "group_members" ("user_id");
CREATE TABLE "group_permissions" ( "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  "account_id" integer NOT NULL,
  "group_id" integer NOT NULL,
  "permission_set" text NOT NULL,
  "project_id" integer NULL,
  "categories" text NOT NULL,
  "created_at" integer NOT NULL,
  FOREIGN KEY ("account_id") REFERENCES "accounts" ("id"),
  FOREIGN KEY ("group_id") REFERENCES "groups" ("id") );
CREATE INDEX "group_permissions_group" ON "group_permissions" ("group_id");
CREATE INDEX "group_permissions_project" ON "group_permissions" ("project_id");
CREATE TABLE "groups" ( "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  "account_id" integer NOT NULL,
  "name" text NOT NULL,
  "created_at" integer NOT NULL,
  FOREIGN KEY ("account_id") REFERENCES "accounts" ("id") );
CREATE INDEX "groups_account" ON "groups" ("account_id");
CREATE TABLE "memberships" ( "account_id" integer NOT NULL,
  "user_id" integer NOT NULL,
  "license" text NOT NULL,
  "revision" integer NOT NULL,
  "created_at" integer NOT NULL, PRIMARY KEY ("account_id",
  "user_id"),
  FOREIGN KEY ("account_id") REFERENCES "accounts" ("id"),
  FOREIGN KEY ("user_id") REFERENCES "users" ("id") );
CREATE TABLE "personal_tokens" ( "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  "uid" text NOT NULL UNIQUE,
  "account_id" integer NOT NULL,
  "user_id" integer NOT NULL,
  "name" text NOT NULL,
  "digest_key_id" integer NULL,
  "digest" blob NULL,
  "expires_at" integer NULL,
  "revoked_at" integer NULL,
  "created_at" integer NOT NULL,
  "updated_at" integer NOT NULL,
  "last_used" integer NULL,
  FOREIGN KEY ("account_id",
  "user_id") REFERENCES "memberships" ("account_id",
  "user_id") );
CREATE UNIQUE INDEX "personal_tokens_digest" ON "personal_tokens" ("digest",
  "digest_key_id");
CREATE INDEX "personal_tokens_user" ON "personal_tokens" ("account_id",
  "user_id");
CREATE TABLE "seaql_migrations" ( "version" varchar NOT NULL PRIMARY KEY,
  "applied_at" integer NOT NULL );
CREATE TABLE "service_token_permissions" ( "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  "service_token_id" integer NOT NULL,
  "permission_set" text NOT NULL,
  "project_id" integer NULL,
  "categories" text NOT NULL,
  "created_at" integer NOT NULL,
  FOREIGN KEY ("service_token_id") REFERENCES "service_tokens" ("id") );
CREATE INDEX "service_token_permissions_project" ON "service_token_permissions" ("project_id");
CREATE INDEX "service_token_permissions_token" ON "service_token_permissions" ("service_token_id");
CREATE TABLE "service_tokens" ( "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  "uid" text NOT NULL UNIQUE,
  "account_id" integer NOT NULL,
  "name" text NOT NULL,
  "state" text NOT NULL,
  "expires_at" integer NULL,
  "revoked_at" integer NULL,
  "revoked_by" text NULL,
  "digest_key_id" integer NULL,
  "digest" blob NULL,
  "revision" integer NOT NULL,
  "created_at" integer NOT NULL,
  "updated_at" integer NOT NULL,
  "last_used" integer NULL,
  FOREIGN KEY ("account_id") REFERENCES "accounts" ("id") );
CREATE INDEX "service_tokens_account" ON "service_tokens" ("account_id",
  "state",
  "id");
CREATE UNIQUE INDEX "service_tokens_digest" ON "service_tokens" ("digest",
  "digest_key_id");
CREATE TABLE "users" ( "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  "email" text NOT NULL UNIQUE,
  "first_name" text NOT NULL,
  "last_name" text NOT NULL,
  "created_at" integer NOT NULL );
