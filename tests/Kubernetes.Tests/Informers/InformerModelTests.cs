using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Opt.Kubernetes.Tests;

/// <summary>
/// The machine and its store against a model of the server, under random histories and random faults: pages, streams, cuts, duplicates,
/// compaction, refused streaming, a server restored from an old backup.
/// </summary>
public sealed class InformerModelTests
{
    [Fact]
    public void The_store_always_equals_the_servers_state_at_its_version_and_catches_up_when_faults_end() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed => new Run(seed).Check()).Check(Soak.Runs(400, 20_000));

    private sealed class Run(int seed)
    {
        private readonly Random _random = new(seed);
        private readonly ModelServer _server = new();
        private readonly Dictionary<ObjectKey, V1ConfigMap> _bySubscriber = [];
        private InformerState<V1ConfigMap> _state = InformerMachine.Start<V1ConfigMap>(streams: seed % 3 != 0);
        private InformerSnapshot<V1ConfigMap> _store = InformerSnapshot<V1ConfigMap>.Empty(Resources.ConfigMaps, new Dictionary<string, Func<V1ConfigMap, IEnumerable<string>>>
        {
            ["uid"] = m => [m.Metadata.Uid!],
        });

        private int _epoch;   // of the history that the store shows
        private double _faults = 0.3;

        public void Check()
        {
            for (var turn = 0; turn < 60; turn++)
            {
                for (var writes = _random.Next(4); writes > 0; writes--) _server.Write(_random);
                if (Chance(0.05)) _server.Compact();
                if (Chance(0.02)) RestoreServer();
                Exchange();
            }

            _faults = 0;
            for (var turn = 0; turn < 12; turn++) Exchange();
            Assert.Equal(_server.Epoch, _epoch);
            Assert.Equal($"{_server.Version}", _store.ResourceVersion);
            AssertConsistent();
        }

        /// <summary>
        /// Connections break with the server, and the informer asks before the new history has overtaken the old version: beyond that nobody can
        /// tell two histories apart by their versions.
        /// </summary>
        private void RestoreServer()
        {
            _server.Restore(_random);
            Signal(new RequestFailed<V1ConfigMap>());
            Answer(InformerMachine.Next(_state));
            if (_state is Watching<V1ConfigMap> held && held.ResourceVersion == $"{_server.Version}") _epoch = _server.Epoch;   // exactly where both histories part
        }

        /// <summary>One request with its answer, or what the faults leave of it.</summary>
        private void Exchange()
        {
            if (Chance(_faults)) Signal(new RequestFailed<V1ConfigMap>());
            else Answer(InformerMachine.Next(_state));
        }

        private void Answer(InformerRequest request)
        {
            switch (request)
            {
                case RequestPage r:
                    Signal(_server.Page(r.Continue, r.Growth >= 3 ? int.MaxValue : 2 << r.Growth));
                    break;
                case RequestNewestVersion:
                    Signal(new NewestVersionArrived<V1ConfigMap>($"{_server.Version}"));
                    break;
                case RequestStream when seed % 5 == 0:
                    Signal(new StreamingRefused<V1ConfigMap>());
                    break;
                case RequestStream:
                    Stream(_server.InitialEvents());
                    break;
                case RequestWatch r:
                    Stream(_server.EventsAfter(long.Parse(r.ResourceVersion, System.Globalization.CultureInfo.InvariantCulture)));
                    break;
            }
        }

        /// <summary>Plays a stream: cut anywhere, with duplicates, and with writes that happen while it is open.</summary>
        private void Stream(IReadOnlyList<InformerSignal<V1ConfigMap>> events)
        {
            foreach (var e in events)
            {
                if (Chance(_faults / 4))
                {
                    Signal(new RequestFailed<V1ConfigMap>());
                    return;
                }

                Signal(e);
                if (e is VersionGone<V1ConfigMap>) return;
                if (Chance(_faults / 2)) Signal(e);   // a proxy repeats what it has just sent
            }

            Signal(events.Count > 0 && !Chance(_faults) ? new StreamEnded<V1ConfigMap>() : new RequestFailed<V1ConfigMap>());
        }

        private void Signal(InformerSignal<V1ConfigMap> signal)
        {
            (_state, var delta) = InformerMachine.Step(_state, signal);
            if (delta is null) return;
            (_store, var changes) = _store.Apply(delta);
            if (delta is Replace<V1ConfigMap>) _epoch = _server.Epoch;
            foreach (var change in changes)
            {
                if (change.New is null) Assert.True(_bySubscriber.Remove(change.Key), $"{change.Key} was deleted twice");
                else _bySubscriber[change.Key] = change.New;
            }

            AssertConsistent();
        }

        private void AssertConsistent()
        {
            var expected = _server.StateAt(_epoch, _store.ResourceVersion!);   // throws if that history never had that version
            Assert.Equal(expected, _store.Items.Select(Describe));
            Assert.Equal(expected, _bySubscriber.OrderBy(i => i.Key).Select(i => Describe(i.Value)));
            Assert.All(_store.Items, item => Assert.Contains(item, _store.By("uid", item.Metadata.Uid!)));
            Assert.Equal(_store.Count, _store.Items.Select(i => i.Metadata.Uid!).Distinct().Sum(uid => _store.By("uid", uid).Count()));
        }

        private bool Chance(double probability) => _random.NextDouble() < probability;
    }

    private static string Describe(V1ConfigMap map) => $"{map.Metadata.Name}@{map.Metadata.ResourceVersion}#{map.Metadata.Uid}";

    /// <summary>Histories of a few objects. A restore goes back to an older version and starts another history from there.</summary>
    private sealed class ModelServer
    {
        private readonly List<(int Epoch, long Version, SortedDictionary<string, V1ConfigMap> State)> _states = [(0, 100, [])];
        private readonly List<InformerSignal<V1ConfigMap>> _events = [];
        private long _compacted = 100;
        private int _uids;

        public int Epoch { get; private set; }

        public long Version { get; private set; } = 100;

        private SortedDictionary<string, V1ConfigMap> Now => _states[^1].State;

        public IReadOnlyList<string> StateAt(int epoch, string version) =>
            [.. _states.Last(s => s.Epoch == epoch && $"{s.Version}" == version).State.Values.Select(Describe)];

        public void Write(Random random)
        {
            Version++;
            var name = $"{(char)('a' + random.Next(6))}";
            var next = new SortedDictionary<string, V1ConfigMap>(Now, StringComparer.Ordinal);
            if (next.TryGetValue(name, out var old) && random.Next(3) == 0)
            {
                next.Remove(name);
                _events.Add(new ObjectDeleted<V1ConfigMap>(new("n", name), InformerMachineTests.Map(name, Version, old.Metadata.Uid!), $"{Version}"));
            }
            else
            {
                next[name] = InformerMachineTests.Map(name, Version, old?.Metadata.Uid ?? $"u{_uids++}");
                _events.Add(new ObjectChanged<V1ConfigMap>(new("n", name), next[name], $"{Version}"));
            }

            _states.Add((Epoch, Version, next));
        }

        public void Compact() => _compacted = Version;

        /// <summary>An operator restored an old backup: versions go back, and the objects are what they were then.</summary>
        public void Restore(Random random)
        {
            var back = _states.Where(s => s.Epoch == Epoch).ElementAt(random.Next(_states.Count(s => s.Epoch == Epoch)));
            if (back.Version == Version) return;
            Epoch++;
            Version = back.Version;
            _compacted = Version;
            _events.Clear();
            _states.Add((Epoch, Version, back.State));
        }

        public InformerSignal<V1ConfigMap> Page(string? token, int limit)
        {
            var (version, skip) = token is null ? (Version, 0) : Parse(token);
            if (version < _compacted || version > Version || !_states.Exists(s => s.Epoch == Epoch && s.Version == version)) return new VersionGone<V1ConfigMap>();
            var all = _states.Last(s => s.Epoch == Epoch && s.Version == version).State.Values.ToArray();
            var page = all.Skip(skip).Take(limit).ToArray();
            return new PageArrived<V1ConfigMap>(page, skip + page.Length < all.Length ? $"{version}/{skip + page.Length}" : null, $"{version}");
        }

        public IReadOnlyList<InformerSignal<V1ConfigMap>> InitialEvents() =>
        [
            .. Now.Values.Select(m => new ObjectChanged<V1ConfigMap>(new("n", m.Metadata.Name!), m, m.Metadata.ResourceVersion!)),
            new BookmarkArrived<V1ConfigMap>($"{Version}", EndsInitialEvents: true),
        ];

        public IReadOnlyList<InformerSignal<V1ConfigMap>> EventsAfter(long version)
        {
            if (version > Version) return [];   // a real server waits for the future, and says nothing
            if (version < _compacted) return [new VersionGone<V1ConfigMap>()];
            return [.. _events.Where(e => VersionOf(e) > version), new BookmarkArrived<V1ConfigMap>($"{Version}", false)];
        }

        private static long VersionOf(InformerSignal<V1ConfigMap> signal) => signal switch
        {
            ObjectChanged<V1ConfigMap> c => long.Parse(c.ResourceVersion, System.Globalization.CultureInfo.InvariantCulture),
            ObjectDeleted<V1ConfigMap> d => long.Parse(d.ResourceVersion, System.Globalization.CultureInfo.InvariantCulture),
            _ => 0,
        };

        private static (long Version, int Skip) Parse(string token)
        {
            var parts = token.Split('/');
            return (long.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture), int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture));
        }
    }
}
