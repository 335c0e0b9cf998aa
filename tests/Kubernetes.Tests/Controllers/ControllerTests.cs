using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Opt.Testing;
using Xunit;

namespace Opt.Kubernetes.Tests;

/// <summary>Controllers over an informer that is fed by hand through a handler in memory, in virtual time.</summary>
public sealed class ControllerTests
{
    [Fact]
    public void Each_object_is_reconciled_with_its_newest_state_and_a_missing_one_is_reported_as_deleted() => Test(async world =>
    {
        await world.Server.PutAsync("a", 1);
        await world.StartAsync(_ => Task.FromResult(Requeue.WhenChanged));
        await world.SettleAsync();
        await world.Server.PutAsync("a", 2);
        await world.SettleAsync();
        await world.Server.DeleteAsync("a");
        await world.SettleAsync();
        Assert.Equal(["a=1", "a=2", "-a"], world.Calls);
    });

    [Fact]
    public void A_requeue_comes_back_without_a_change() => Test(async world =>
    {
        await world.Server.PutAsync("a", 1);
        await world.StartAsync(_ => Task.FromResult(Requeue.In(TimeSpan.FromSeconds(30))));
        await world.AdvanceAsync(TimeSpan.FromSeconds(61));
        Assert.Equal(["a=1", "a=1", "a=1"], world.Calls);
    });

    [Fact]
    public void A_failure_is_repeated_with_growing_pauses_until_it_succeeds() => Test(async world =>
    {
        await world.Server.PutAsync("a", 1);
        var failures = 3;
        await world.StartAsync(_ => failures-- > 0 ? throw new InvalidOperationException("not yet") : Task.FromResult(Requeue.WhenChanged));
        await world.AdvanceAsync(TimeSpan.FromMilliseconds(5));
        Assert.Single(world.Calls);
        await world.AdvanceAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(4, world.Calls.Count);
        await world.AdvanceAsync(TimeSpan.FromMinutes(5));
        Assert.Equal(4, world.Calls.Count);
    });

    [Fact]
    public void What_the_server_calls_invalid_is_not_hammered_but_an_edit_brings_it_back_at_once() => Test(async world =>
    {
        await world.Server.PutAsync("a", 1);
        await world.StartAsync(_ => throw new KubernetesException(new V1Status { Code = 422, Reason = "Invalid", Message = "no" }, "writing"));
        await world.AdvanceAsync(TimeSpan.FromMinutes(9));
        Assert.Single(world.Calls);
        await world.Server.PutAsync("a", 2);
        await world.SettleAsync();
        Assert.Equal(2, world.Calls.Count);
        await world.AdvanceAsync(TimeSpan.FromMinutes(11));
        Assert.Equal(3, world.Calls.Count);
    });

    [Fact]
    public void An_attempt_that_hangs_is_cancelled_at_its_deadline_and_repeated() => Test(async world =>
    {
        await world.Server.PutAsync("a", 1);
        var cancelled = 0;
        await world.StartAsync(async ct =>
        {
            using var registration = ct.Register(() => cancelled++);
            await Task.Delay(Timeout.InfiniteTimeSpan, world.Clock, ct);
            return Requeue.WhenChanged;
        });
        await world.AdvanceAsync(TimeSpan.FromSeconds(59));
        Assert.Equal(0, cancelled);
        await world.AdvanceAsync(TimeSpan.FromSeconds(2));
        Assert.Equal(1, cancelled);
        Assert.Equal(2, world.Calls.Count);
    });

    [Fact]
    public void Changes_during_an_attempt_lead_to_exactly_one_more_and_never_two_at_once() => Test(async world =>
    {
        await world.Server.PutAsync("a", 1);
        await world.StartAsync(async ct =>
        {
            await Task.Delay(TimeSpan.FromSeconds(5), world.Clock, ct);
            return Requeue.WhenChanged;
        });
        await world.AdvanceAsync(TimeSpan.FromSeconds(1));
        for (var edit = 2; edit <= 4; edit++)
        {
            await world.Server.PutAsync("a", edit);
            await world.SettleAsync();
        }

        await world.AdvanceAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(["a=1", "a=4"], world.Calls);
        Assert.Equal(1, world.MostAtOnce);
    });

    [Fact]
    public void An_owned_objects_change_brings_back_its_owner() => Test(async world =>
    {
        await world.Server.PutAsync("a", 1);
        await world.StartAsync(_ => Task.FromResult(Requeue.WhenChanged));
        await world.SettleAsync();
        await world.Server.PutAsync("child", 1, owner: "a");
        await world.SettleAsync();
        Assert.Equal(["a=1", "a=1", "child=1"], world.Calls.Order(StringComparer.Ordinal));
    }, own: true);

    [Fact]
    public void Stopping_is_not_an_error() => Test(async world =>
    {
        await world.Server.PutAsync("a", 1);
        await world.StartAsync(async ct =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, world.Clock, ct);
            return Requeue.WhenChanged;
        });
        await world.SettleAsync();
        Assert.Single(world.Calls);
    });

    [Theory]
    [InlineData(409, "Conflict", Failure.Conflict)]
    [InlineData(409, "AlreadyExists", Failure.Conflict)]
    [InlineData(422, "Invalid", Failure.Terminal)]
    [InlineData(400, "BadRequest", Failure.Terminal)]
    [InlineData(403, "Forbidden", Failure.Retry)]
    [InlineData(404, "NotFound", Failure.Retry)]
    [InlineData(500, "InternalError", Failure.Retry)]
    public void Refusals_are_judged_by_code_and_reason(int code, string reason, Failure expected) =>
        Assert.Equal(expected, Failures.Classify(new KubernetesException(new V1Status { Code = code, Reason = reason }, "testing")));

    private static void Test(Func<World, Task> body, bool own = false) => Pump.Run(async settle =>
    {
        await using var world = new World(settle, own);
        await body(world);
    });

    private sealed class World : IAsyncDisposable, IEntityController<V1ConfigMap>
    {
        private readonly Func<Task> _settle;
        private readonly bool _own;
        private readonly CancellationTokenSource _stop = new();
        private readonly KubernetesClient _client;
        private readonly Informer<V1ConfigMap> _informer;
        private Controller<V1ConfigMap>? _controller;
        private Func<CancellationToken, Task<Requeue>>? _reconcile;
        private Task _running = Task.CompletedTask;
        private int _now;

        public World(Func<Task> settle, bool own)
        {
            (_settle, _own) = (settle, own);
            Server = new(Clock);
            _client = new(new Uri("http://memory"), Server, new() { Random = () => 0.5 }, Clock);
            _informer = new(_client.Resource(Resources.ConfigMaps), new() { Namespace = "n" });
        }

        public VirtualTime Clock { get; } = new();

        public MemoryApiServer Server { get; }

        public ConcurrentQueue<string> Calls { get; } = [];

        public int MostAtOnce { get; private set; }

        public async Task StartAsync(Func<CancellationToken, Task<Requeue>> reconcile)
        {
            _reconcile = reconcile;
            _controller = new(_informer, this, new() { Name = "test", Workers = 3, Queue = new() { Random = () => 1 } }, Clock, NullLogger<Controller<V1ConfigMap>>.Instance);
            if (_own) _controller.WatchOwned(_informer, Resources.ConfigMaps, "ConfigMap");
            _running = Task.WhenAll(_informer.RunAsync(_stop.Token), _controller.RunAsync(_stop.Token));
            await SettleAsync();
        }

        public Task SettleAsync() => _settle();

        public Task AdvanceAsync(TimeSpan by) => Clock.AdvanceAsync(by, _settle);

        public async Task<Requeue> ReconcileAsync(V1ConfigMap entity, CancellationToken ct)
        {
            Calls.Enqueue($"{entity.Metadata.Name}={entity.Data!["k"]}");
            MostAtOnce = Math.Max(MostAtOnce, ++_now);
            try
            {
                return await _reconcile!(ct);
            }
            finally
            {
                _now--;
            }
        }

        public Task<Requeue> DeletedAsync(ObjectKey key, CancellationToken ct)
        {
            Calls.Enqueue($"-{key.Name}");
            return Task.FromResult(Requeue.WhenChanged);
        }

        public async ValueTask DisposeAsync()
        {
            _stop.Cancel();
            await _settle();
            Assert.True(_running.IsCompletedSuccessfully, _running.Status.ToString());
            _controller?.Dispose();
            _informer.Dispose();
            _client.Dispose();
            _stop.Dispose();
        }
    }
}
