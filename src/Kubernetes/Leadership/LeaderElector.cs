using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Opt.Kubernetes;

/// <summary>
/// Leads while it holds a lease. Of all candidates at most one finds <see cref="IsLeader"/> true at any moment, as long as their clocks run
/// at the same speed to within (LeaseDuration - RenewDeadline) / LeaseDuration; what the clocks show does not matter. A process that was
/// stopped for long finds it false at once when it goes on, before any timer has fired. Writes that were sent before are still on their way:
/// what must not happen twice needs a precondition of its own.
/// </summary>
public sealed partial class LeaderElector
{
    private readonly ResourceClient<V1Lease> _leases;
    private readonly LeaderElectionOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private V1Lease? _observed;
    private long _observedAt;
    private long _renewedAt;
    private volatile bool _holds;

    /// <param name="leases">From a client of its own, so that renewals never wait behind other requests.</param>
    public LeaderElector(ResourceClient<V1Lease> leases, LeaderElectionOptions options, TimeProvider? clock = null, ILogger<LeaderElector>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(leases);
        ArgumentNullException.ThrowIfNull(options);
        (_leases, _options, _clock, _logger) = (leases, options.Validate(), clock ?? TimeProvider.System, logger ?? NullLogger<LeaderElector>.Instance);
    }

    /// <summary>True while nobody else can be leader. Ask again before every write.</summary>
    public bool IsLeader => _holds && Remaining() > TimeSpan.Zero;

    /// <summary>Who was last seen holding the lease.</summary>
    public string? Leader => _observed?.Spec?.HolderIdentity;

    /// <exception cref="LeadershipLostException">Somebody else may be leader now.</exception>
    public void ThrowIfNotLeader()
    {
        if (!IsLeader) throw new LeadershipLostException(_options.Lease, _options.Identity);
    }

    /// <summary>
    /// Waits to be leader, runs <paramref name="lead"/> with a token that ends with the leadership, and starts over when it was lost. Returns when
    /// cancelled, when <paramref name="lead"/> ends by itself, or throws what it throws; then the lease is given back.
    /// </summary>
    public async Task RunAsync(Func<CancellationToken, Task> lead, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(lead);
        while (await AcquireAsync(ct))
        {
            if (await TermAsync(lead, ct)) return;
        }
    }

    /// <summary>True when leader, false when cancelled.</summary>
    private async Task<bool> AcquireAsync(CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            await TryAsync(ct);
            if (IsLeader) return true;
            await PauseAsync(_options.RetryPeriod * (1 + 0.2 * _options.Random()), ct);
        }

        return false;
    }

    /// <summary>One time in office. True if the work is over, false if only the leadership is.</summary>
    private async Task<bool> TermAsync(Func<CancellationToken, Task> lead, CancellationToken ct)
    {
        Log.Leading(_logger, _options.Identity, _options.Lease);
        using var term = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var renewing = new CancellationTokenSource();
        var renewals = RenewAsync(term, renewing.Token);
        try
        {
            await lead(term.Token);
            return IsLeader || ct.IsCancellationRequested;
        }
        catch (OperationCanceledException) when (term.IsCancellationRequested)
        {
            return ct.IsCancellationRequested;
        }
        finally
        {
            // The lease is held until the work has stopped, and given back only then.
            renewing.Cancel();
            await renewals;
            await ReleaseAsync();
        }
    }

    private async Task RenewAsync(CancellationTokenSource term, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested && IsLeader)
        {
            await PauseAsync(Shorter(_options.RetryPeriod, Remaining()), stop);
            if (!stop.IsCancellationRequested && IsLeader) await TryAsync(stop);
        }

        if (stop.IsCancellationRequested) return;
        Log.Lost(_logger, _options.Identity, _options.Lease, Leader ?? "nobody");
        term.Cancel();
    }

    /// <summary>One look at the lease and, if the rules allow, one write.</summary>
    private async Task TryAsync(CancellationToken ct)
    {
        if (!IsLeader) _holds = false;
        using var deadline = new CancellationTokenSource(AttemptTime(), _clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        try
        {
            if (!_holds) Observe(await _leases.FindAsync(_options.Lease, both.Token));
            var view = new LeaseView(_observed, _clock.GetElapsedTime(_observedAt));
            var candidacy = LeaderElection.Decide(view, _options);
            if (candidacy == Candidacy.Wait) _holds = false;
            else await WriteAsync(view, candidacy, both.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            Log.Unanswered(_logger, _options.Lease, "deadline passed");
            await ObserveAgainAsync(ct);
        }
        catch (KubernetesException e)
        {
            Log.Unanswered(_logger, _options.Lease, e.Message);
            await ObserveAgainAsync(ct);
        }
        catch (OperationCanceledException)
        {
            // the caller sees its token
        }
    }

    private async Task WriteAsync(LeaseView view, Candidacy candidacy, CancellationToken ct)
    {
        var sent = _clock.GetTimestamp();   // before sending: the lease counts from here, however long the answer takes
        var next = LeaderElection.Next(view, candidacy, _options, _clock.GetUtcNow());
        Observe(candidacy == Candidacy.Create ? await _leases.CreateAsync(next, ct) : await _leases.ReplaceAsync(next, ct));
        Volatile.Write(ref _renewedAt, sent);
        _holds = true;
    }

    /// <summary>After a lost answer or a conflict the version we hold is stale. What the server has now says whether we still lead.</summary>
    private async Task ObserveAgainAsync(CancellationToken ct)
    {
        using var deadline = new CancellationTokenSource(AttemptTime(), _clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, deadline.Token);
        try
        {
            Observe(await _leases.FindAsync(_options.Lease, both.Token));
            if (Leader != _options.Identity) _holds = false;
        }
        catch (Exception e) when (e is KubernetesException or OperationCanceledException)
        {
            // Still no answer: what we hold counts until its deadline, and the next attempt looks again.
            Log.Unanswered(_logger, _options.Lease, e.Message);
        }
    }

    private async Task ReleaseAsync()
    {
        var mine = _holds ? _observed : null;
        _holds = false;
        if (mine is null) return;
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(5), _clock);   // not the caller's token: it has ended already
        try
        {
            Observe(await _leases.ReplaceAsync(LeaderElection.Released(mine, _clock.GetUtcNow()), deadline.Token));
            Log.Released(_logger, _options.Identity, _options.Lease);
        }
        catch (Exception e) when (e is KubernetesException or OperationCanceledException)
        {
            Log.NotReleased(_logger, _options.Lease, e.Message);   // it expires by itself
        }
    }

    private void Observe(V1Lease? lease)
    {
        // The view's age counts from the first sight of a version; seeing it again must not make it younger.
        if (lease is not null && lease.Metadata.ResourceVersion == _observed?.Metadata.ResourceVersion && lease.Metadata.Uid == _observed?.Metadata.Uid) return;
        _observed = lease;
        _observedAt = _clock.GetTimestamp();
    }

    private TimeSpan Remaining() => _options.RenewDeadline - _clock.GetElapsedTime(Volatile.Read(ref _renewedAt));

    // A leader does not wait for an answer beyond the time it may lead: the end must be noticed when it comes.
    private TimeSpan AttemptTime() => _holds ? Shorter(_options.RenewDeadline / 2, Remaining()) : _options.RenewDeadline / 2;

    private async Task PauseAsync(TimeSpan time, CancellationToken ct)
    {
        if (time <= TimeSpan.Zero) return;
        try
        {
            await Task.Delay(time, _clock, ct);
        }
        catch (OperationCanceledException)
        {
            // the caller sees its token
        }
    }

    private static TimeSpan Shorter(TimeSpan a, TimeSpan b) => a < b ? a : b > TimeSpan.Zero ? b : TimeSpan.Zero;
}
