using Microsoft.Extensions.Logging;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Planning;

namespace Opt.Operator.Agents;

/// <summary>
/// Keeps asking the agents of one job: all of them their status, rank 0's also for step records by long poll. Reports a change through
/// <c>changed</c>; what it means is for the planner.
/// </summary>
internal sealed partial class AgentPool : IAsyncDisposable
{
    /// <summary>A catalogue older than this is read again.</summary>
    private static readonly TimeSpan CatalogueAge = TimeSpan.FromSeconds(30);

    /// <summary>The least between two looks at the catalogue through members that are done while rank 0's agent does not say so.</summary>
    private static readonly TimeSpan WitnessAge = TimeSpan.FromSeconds(2);

    /// <summary>By more than this a calendar is not slewed, but set.</summary>
    private static readonly TimeSpan Slew = TimeSpan.FromSeconds(1);

    private readonly IAgentClient _client;
    private readonly TimeProvider _clock;
    private readonly Func<double> _random;
    private readonly ILogger _logger;
    private readonly Action<TimeSpan> _changed;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _gate = new();
    private readonly Dictionary<string, AgentPoller> _pollers = new(StringComparer.Ordinal);
    private readonly StepHistory _steps;
    private readonly BackgroundReader<Catalogue> _reader;
    private readonly BackgroundReader<LogbookPage> _logbooks;
    private readonly long _began;
    private DateTimeOffset _origin;   // what the calendar said at _began, as of now
    private StepFollower? _follower;
    private string? _first;   // the pod of rank 0
    private long? _witnessedAt;
    private Catalogue? _catalogue;
    private long? _cataloguedAt;   // by the stopwatch: the calendar may be set back
    private LogbookPage? _logbook;
    private bool _isLogbookDue;
    private CheckpointSummary? _committed;
    private CheckpointSummary? _healthy;

    /// <param name="changed">Asks for the job to be looked at after the given time.</param>
    public AgentPool(IAgentClient client, TimeProvider clock, Func<double> random, ILogger logger, Action<TimeSpan> changed)
    {
        (_client, _clock, _random, _logger, _changed) = (client, clock, random, logger, changed);
        _steps = new(clock.GetUtcNow());
        _reader = new(client.GetCatalogueAsync, Catalogued, _stopping.Token);
        _logbooks = new(client.GetLogbookAsync, Told, _stopping.Token);
        (_began, _origin) = (clock.GetTimestamp(), clock.GetUtcNow());
    }

    /// <summary>What is known of each agent now.</summary>
    public EquatableList<AgentView> Views
    {
        get { lock (_gate) return [.. _pollers.Values.Select(p => p.View).OrderBy(v => v.Pod, StringComparer.Ordinal)]; }
    }

    public StepView Steps(DateTimeOffset? accounted)
    {
        lock (_gate)
        {
            Now();
            return _steps.View(accounted, _committed, _healthy);
        }
    }

    /// <summary>Whether an agent takes neither the token nor the one before it.</summary>
    public bool IsRefused
    {
        get { lock (_gate) return _pollers.Values.Any(p => p.IsRefused); }
    }

    /// <summary>The newest catalogue an agent told; null before the first.</summary>
    public Catalogue? Catalogue
    {
        get { lock (_gate) return _catalogue; }
    }

    /// <summary>
    /// The store's logbook as read since the last call; null when it was not. It is read once an epoch has stepped, and once more when that has committed: trainers
    /// enter what they did to restore, and an adopted store holds what was before this job.
    /// </summary>
    public LogbookPage? TakeLogbook()
    {
        lock (_gate)
        {
            var told = _logbook;
            _logbook = null;
            return told;
        }
    }

    public AgentTarget? Target(string podUid)
    {
        lock (_gate) return _pollers.GetValueOrDefault(podUid)?.Target;
    }

    /// <summary>Starts asking new targets and stops asking those that are gone.</summary>
    public async Task TrackAsync(IReadOnlyCollection<AgentTarget> targets)
    {
        List<AgentPoller> gone;
        var wanted = targets.ToHashSet();
        lock (_gate)
        {
            gone = [.. _pollers.Values.Where(p => !wanted.Contains(p.Target))];
            foreach (var poller in gone) _pollers.Remove(poller.Target.PodUid);
            foreach (var target in targets.Where(t => !_pollers.ContainsKey(t.PodUid)))
            {
                var poller = new AgentPoller(target, _client, _clock, _random, Observe);
                _pollers.Add(target.PodUid, poller);
                poller.Start(_stopping.Token);
            }
        }

        foreach (var poller in gone) await poller.DisposeAsync();
    }

    /// <summary>Sets the pace, and whose step records to follow.</summary>
    /// <param name="hurry">While launching or recovering all agents are asked often; otherwise only rank 0's is.</param>
    public async Task PaceAsync(bool hurry, RunPlan? plan)
    {
        var first = plan?.Members[0].PodUid;
        StepFollower? old = null;
        lock (_gate)
        {
            _first = first;
            foreach (var poller in _pollers.Values) poller.Pace(hurry || poller.Target.PodUid == first);
            var wanted = plan is not null && _pollers.TryGetValue(first!, out var rankZero) ? rankZero.Target : null;
            if (_follower is not null && (wanted != _follower.Target || plan!.Epoch != _follower.Epoch)) (old, _follower) = (_follower, null);
            if (_follower is null && wanted is not null)
            {
                _follower = new(wanted, plan!.Epoch, _client, _clock, OnSteps);
                _follower.Start(_stopping.Token);
            }
        }

        if (old is not null) await old.DisposeAsync();
    }

    /// <summary>Asks all agents now: something happened.</summary>
    public void Poke()
    {
        lock (_gate)
        {
            foreach (var poller in _pollers.Values) poller.Poke();
        }
    }

    /// <summary>Remembers what a PUT of a plan brought, until the agent's own status says so.</summary>
    public void PlanAnswered(string podUid, PlanId plan, string? refusal)
    {
        lock (_gate)
        {
            if (_pollers.TryGetValue(podUid, out var poller)) poller.PlanAnswered(plan, refusal);
        }
    }

    /// <summary>Takes a catalogue, unless a newer one is known already.</summary>
    public void Catalogued(Catalogue catalogue)
    {
        bool news;
        lock (_gate)
        {
            _cataloguedAt = _clock.GetTimestamp();
            if (_catalogue is { } known && (catalogue.FencedEpoch, catalogue.Entry).CompareTo((known.FencedEpoch, known.Entry)) < 0) return;
            news = _catalogue?.Checkpoints != catalogue.Checkpoints;
            _catalogue = catalogue;
            _committed = catalogue.Checkpoints.Where(c => c.IsDurable).MaxBy(c => c.Entry) ?? _committed;   // what lies in memory alone is no safety
            _healthy = catalogue.Checkpoints.Where(c => c.Verdict is Api.V1Alpha1.HealthVerdict.Healthy).MaxBy(c => c.Entry) ?? _healthy;
        }

        if (news) _changed(TimeSpan.Zero);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        List<AgentPoller> pollers;
        StepFollower? follower;
        lock (_gate)
        {
            (pollers, follower) = ([.. _pollers.Values], _follower);
            _pollers.Clear();
            _follower = null;
        }

        foreach (var poller in pollers) await poller.DisposeAsync();
        if (follower is not null) await follower.DisposeAsync();
        await _reader.Idle;
        await _logbooks.Idle;
        _stopping.Dispose();
    }

    private void Told(LogbookPage page)
    {
        lock (_gate) _logbook = page;
        _changed(TimeSpan.Zero);
    }

    /// <summary>The calendar; where it jumped against the stopwatch, what happened before is moved along. Under the lock.</summary>
    private DateTimeOffset Now()
    {
        var now = _clock.GetUtcNow();
        var jump = now - _clock.GetElapsedTime(_began) - _origin;
        if (jump.Duration() > Slew)
        {
            _origin += jump;
            _steps.Shift(jump, now);
        }

        return now;
    }

    /// <summary>A poller's answer or silence.</summary>
    private void Observe(AgentPoller poller, AgentView before, AgentView after)
    {
        var alarm = after.Status?.State is AgentState.Failed && before.Status?.State is not AgentState.Failed;
        var silent = after.SilentSince is not null && before.SilentSince is null;
        lock (_gate)
        {
            if (after.Status is { } status && after.SilentSince is null)
            {
                // The plan's epoch: an agent that fenced for the next one still tells the last attempt of this one, which the next may take a while to reach again.
                if (status.PlanEpoch is { } epoch) _steps.Advance(epoch, status.LastAttempt, Now());
            }
        }

        if (silent) Log.Silent(_logger, after.Pod, after.Error ?? "");
        // One failure or silence is often the shadow of another: see all agents before deciding.
        if (alarm || silent) Poke();
        if (IsWitness(after)) _reader.Ask(poller.Target);
        if (!Differs(before, after)) return;
        // The last checkpoint of a run comes with no further step record: it is asked for before the end is acted on.
        var completed = after.Status?.State is AgentState.Completed && before.Status?.State is not AgentState.Completed;
        if (completed && IsFollowed(poller)) _reader.Ask(poller.Target, () => _changed(TimeSpan.Zero));
        else _changed(alarm || silent ? TimeSpan.Zero : Together());
    }

    /// <summary>A pass looks at all agents, so the news of many of them wait for each other: 64 ms with 2,048 agents, nothing below 32.</summary>
    private TimeSpan Together()
    {
        lock (_gate) return TimeSpan.FromMilliseconds(_pollers.Count / 32);
    }

    private bool IsFollowed(AgentPoller poller)
    {
        lock (_gate) return _follower?.Target == poller.Target;
    }

    /// <summary>A member that is done while rank 0's agent does not say so, or cannot: the log tells how the run ended, and whoever answers can read it.</summary>
    private bool IsWitness(AgentView view)
    {
        if (view is not { Answers: true, Status.State: AgentState.Completed }) return false;
        lock (_gate)
        {
            if (_first is null || _first == view.PodUid || _pollers.GetValueOrDefault(_first)?.View is { Answers: true, Status.State: AgentState.Completed }) return false;
            if (_witnessedAt is { } at && _clock.GetElapsedTime(at) < WitnessAge) return false;
            _witnessedAt = _clock.GetTimestamp();
            return true;
        }
    }

    private static bool Differs(AgentView before, AgentView after)
    {
        if (before.Answers != after.Answers || before.SilentSince != after.SilentSince) return true;
        var (a, b) = (before.Status!, after.Status!);
        return after.Status is not null && (a.State, a.Epoch, a.Revision, a.Instance, a.PlanDigest, a.Store, a.Failure) != (b.State, b.Epoch, b.Revision, b.Instance, b.PlanDigest, b.Store, b.Failure)
            || after.Status is not null && (a.Devices != b.Devices || a.Diagnostics != b.Diagnostics || !a.Workers.Select(w => w.State).SequenceEqual(b.Workers.Select(w => w.State)));
    }

    private void OnSteps(StepFollower follower, StepsPage page)
    {
        bool first, news = false, committed = false, tell;
        lock (_gate)
        {
            first = _steps.Epoch != page.Epoch;
            var now = Now();
            foreach (var record in page.Records)
            {
                news |= _steps.Add(record, now);
                committed |= record.CommittedStep is not null;
            }

            tell = first || (committed && _isLogbookDue);
            _isLogbookDue = first || (_isLogbookDue && !committed);
            // Verdicts, and what people do with the trainer's own commands, come without a commit.
            if (_cataloguedAt is not { } at || _clock.GetElapsedTime(at) >= CatalogueAge) (_cataloguedAt, committed) = (_clock.GetTimestamp(), true);
        }

        if (committed) _reader.Ask(follower.Target);
        if (tell) _logbooks.Ask(follower.Target);
        // The first step of an epoch ends the launch; later ones are only counted, once a second.
        if (news) _changed(first ? TimeSpan.Zero : TimeSpan.FromSeconds(1));
    }

    private static partial class Log   // 22xx: agents
    {
        [LoggerMessage(2201, LogLevel.Warning, "The agent of {Pod} does not answer: {Error}")]
        public static partial void Silent(ILogger logger, string pod, string error);
    }
}
