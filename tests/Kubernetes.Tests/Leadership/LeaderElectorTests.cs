using FsCheck;
using FsCheck.Fluent;
using Opt.Testing;
using Xunit;

namespace Opt.Kubernetes.Tests;

public sealed class LeaderElectorTests
{
    [Fact]
    public void The_first_candidate_leads_and_the_second_waits_until_the_first_gives_the_lease_back() => Test(async world =>
    {
        var (a, b) = (world.Start("a"), world.Start("b"));
        await world.AdvanceAsync(TimeSpan.FromMinutes(2));
        Assert.Equal((true, false), (a.IsLeader, b.IsLeader));

        a.Stop();
        await world.AdvanceAsync(TimeSpan.FromSeconds(4));   // not the lease's fifteen seconds
        Assert.Equal((false, true), (a.IsLeader, b.IsLeader));
        Assert.Equal(1, world.Server.Lease!.Spec!.LeaseTransitions);
    });

    [Fact]
    public void A_leader_that_died_is_replaced_after_the_lease_duration_and_not_before() => Test(async world =>
    {
        var (a, b) = (world.Start("a"), world.Start("b"));
        await world.AdvanceAsync(TimeSpan.FromMinutes(1));
        a.Network = () => Journey.Safe with { LostBefore = true };
        await world.AdvanceAsync(TimeSpan.FromSeconds(14));
        Assert.False(b.IsLeader);
        await world.AdvanceAsync(TimeSpan.FromSeconds(8));
        Assert.True(b.IsLeader);
    });

    [Fact]
    public void A_leader_that_cannot_renew_stops_its_work_before_anybody_can_take_over() => Test(async world =>
    {
        var a = world.Start("a");
        await world.AdvanceAsync(TimeSpan.FromMinutes(1));
        a.Network = () => Journey.Safe with { Before = TimeSpan.FromMinutes(5) };
        await world.AdvanceAsync(TimeSpan.FromSeconds(10.1));
        Assert.False(a.IsLeader);
        Assert.Equal(0, a.Working);
        Assert.Throws<LeadershipLostException>(a.Elector.ThrowIfNotLeader);
    });

    [Fact]
    public void A_renewal_whose_answer_was_lost_does_not_end_the_leadership() => Test(async world =>
    {
        var a = world.Start("a");
        await world.AdvanceAsync(TimeSpan.FromMinutes(1));
        var lost = 0;
        a.Network = () => lost++ == 0 ? Journey.Safe with { LostAfter = true } : Journey.Safe;
        await world.AdvanceAsync(TimeSpan.FromMinutes(1));
        Assert.True(a.IsLeader);
        Assert.Equal(1, a.Terms);
    });

    [Fact]
    public void An_acquisition_whose_answer_was_lost_leads_as_soon_as_it_is_known() => Test(async world =>
    {
        var requests = 0;
        var a = world.Start("a", () => requests++ == 1 ? Journey.Safe with { LostAfter = true } : Journey.Safe);   // the create
        await world.AdvanceAsync(TimeSpan.FromSeconds(5));
        Assert.True(a.IsLeader);
    });

    [Fact]
    public void A_paused_leader_knows_at_once_when_it_goes_on_that_it_does_not_lead() => Test(async world =>
    {
        var (a, b) = (world.Start("a"), world.Start("b"));
        await world.AdvanceAsync(TimeSpan.FromMinutes(1));
        a.Clock.Paused = true;
        await world.AdvanceAsync(TimeSpan.FromSeconds(30));
        Assert.True(b.IsLeader);
        Assert.False(a.IsLeader);   // although not one of its timers has fired
        a.Clock.Resume();
        await world.AdvanceAsync(TimeSpan.FromSeconds(30));
        Assert.Equal((false, true), (a.IsLeader, b.IsLeader));
        Assert.Equal(0, a.Working);
    });

    [Fact]
    public void Work_that_fails_gives_the_lease_back_and_is_reported() => Test(async world =>
    {
        var a = world.Start("a", work: _ => throw new InvalidOperationException("broken"));
        await world.AdvanceAsync(TimeSpan.FromSeconds(5));
        Assert.IsType<InvalidOperationException>(a.Running.Exception?.InnerException);
        Assert.Equal("", world.Server.Lease!.Spec!.HolderIdentity);
    });

    [Fact]
    public void There_are_never_two_leaders_whatever_the_network_the_clocks_and_pauses_do_and_afterwards_there_is_one() =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed => Test(world => PlayAsync(world, new Random(seed)))).Check(Soak.Runs(40, 3_000));

    private static async Task PlayAsync(World world, Random random)
    {
        var trouble = 0.3;
        Journey Travel() => random.NextDouble() >= trouble ? Journey.Safe : new(
            TimeSpan.FromSeconds(random.Next(4) * random.Next(8)), random.Next(4) == 0, TimeSpan.FromSeconds(random.Next(3) * random.Next(6)), random.Next(4) == 0);
        var candidates = Enumerable.Range(0, 3).Select(i => world.Start($"c{i}", Travel)).ToArray();
        for (var turn = 0; turn < 150; turn++)
        {
            var candidate = candidates[random.Next(3)];
            switch (random.Next(6))
            {
                case 0: candidate.Clock.Paused = true; break;
                case 1: candidate.Clock.Resume(); break;
                case 2: candidate.Clock.Jump(TimeSpan.FromMinutes(random.Next(-300, 300))); break;
            }

            await world.AdvanceAsync(TimeSpan.FromSeconds(random.NextDouble() * 4));
            AssertAtMostOne(candidates);
        }

        trouble = 0;
        foreach (var candidate in candidates) candidate.Clock.Resume();
        await world.AdvanceAsync(TimeSpan.FromMinutes(2));
        Assert.Single(candidates, c => c.IsLeader);
        Assert.Equal(1, candidates.Sum(c => c.Working));
    }

    private static void AssertAtMostOne(IReadOnlyList<Candidate> candidates) =>
        Assert.True(candidates.Count(c => c.IsLeader) <= 1, $"two leaders: {string.Join(", ", candidates.Where(c => c.IsLeader).Select(c => c.Name))}");

    private static void Test(Func<World, Task> body) => Pump.Run(async settle =>
    {
        var world = new World(settle);
        await body(world);
        await world.StopAsync();
    });

    private sealed class World(Func<Task> settle)
    {
        private readonly VirtualTime _time = new();
        private readonly List<Candidate> _candidates = [];

        public MemoryLeaseServer Server { get; } = new();

        public Candidate Start(string name, Func<Journey>? network = null, Func<CancellationToken, Task>? work = null)
        {
            var candidate = new Candidate(name, this, network ?? (() => Journey.Safe), work, new SkewedTime(_time));
            _candidates.Add(candidate);
            return candidate;
        }

        public Task AdvanceAsync(TimeSpan by) => _time.AdvanceAsync(by, () =>
        {
            AssertAtMostOne(_candidates);   // after every single timer
            return settle();
        });

        public async Task StopAsync()
        {
            foreach (var candidate in _candidates)
            {
                candidate.Clock.Resume();
                candidate.Network = () => Journey.Safe;
                candidate.Stop();
            }

            await AdvanceAsync(TimeSpan.FromMinutes(5));
            Assert.All(_candidates, c => Assert.True(c.Running.IsCompleted, $"{c.Name} did not stop"));
            foreach (var candidate in _candidates) candidate.Dispose();
        }
    }

    private sealed class Candidate : IDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Func<CancellationToken, Task>? _work;
        private readonly KubernetesClient _client;

        public Candidate(string name, World world, Func<Journey> network, Func<CancellationToken, Task>? work, SkewedTime clock)
        {
            (Name, Network, Clock, _work) = (name, network, clock, work);
            _client = new KubernetesClient(new Uri("http://memory"), world.Server.Path(clock, () => Network()), new() { Random = () => 0.5, MaxAttempts = 1 }, clock);
            Elector = new(_client.Resource(Resources.Leases), new() { Lease = new("n", "lock"), Identity = name, Random = () => 0.5 }, clock);
            Running = Elector.RunAsync(WorkAsync, _stop.Token);
        }

        public string Name { get; }
        public SkewedTime Clock { get; }
        public LeaderElector Elector { get; }
        public Func<Journey> Network { get; set; }
        public Task Running { get; }
        public int Working { get; private set; }
        public int Terms { get; private set; }
        public bool IsLeader => Elector.IsLeader;

        public void Stop() => _stop.Cancel();

        public void Dispose()
        {
            _client.Dispose();
            _stop.Dispose();
        }

        private async Task WorkAsync(CancellationToken ct)
        {
            Terms++;
            Working++;
            try
            {
                await (_work?.Invoke(ct) ?? Task.Delay(Timeout.InfiniteTimeSpan, Clock, ct));
            }
            finally
            {
                Working--;
            }
        }
    }
}
