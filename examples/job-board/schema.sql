create table if not exists done (
  id text primary key,
  worker text not null,
  runs integer not null default 1
);
