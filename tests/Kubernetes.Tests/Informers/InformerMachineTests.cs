using System.Collections.Immutable;
using Xunit;

namespace Opt.Kubernetes.Tests;

public sealed class InformerMachineTests
{
    private static readonly V1ConfigMap A = Map("a", 1);
    private static readonly V1ConfigMap B = Map("b", 2);

    [Fact]
    public void Pages_become_visible_only_when_the_last_one_is_there()
    {
        var (s1, d1) = Step(new Listing<V1ConfigMap>(streams: false), new PageArrived<V1ConfigMap>([A], "more", ""));
        var (s2, d2) = Step(s1, new PageArrived<V1ConfigMap>([B], null, "10"));

        Assert.Null(d1);
        Assert.Equal(new RequestPage("more", 0), InformerMachine.Next(s1));
        Assert.Equal(["a", "b"], Names(d2));
        Assert.Equal(new Watching<V1ConfigMap>(false, "10"), s2);
        Assert.Equal(new RequestWatch("10"), InformerMachine.Next(s2));
    }

    [Fact]
    public void A_list_whose_version_expired_half_way_starts_over_with_larger_pages()
    {
        var (s1, _) = Step(new Listing<V1ConfigMap>(streams: false), new PageArrived<V1ConfigMap>([A], "more", ""));
        var (s2, d2) = Step(s1, new VersionGone<V1ConfigMap>());
        var (_, d3) = Step(s2, new PageArrived<V1ConfigMap>([B], null, "20"));

        Assert.Null(d2);
        Assert.Equal(new RequestPage(null, 1), InformerMachine.Next(s2));
        Assert.Equal(["b"], Names(d3));   // nothing of the expired page
    }

    [Fact]
    public void A_failed_page_is_asked_for_again_and_the_earlier_ones_are_kept()
    {
        var (s1, _) = Step(new Listing<V1ConfigMap>(streams: false), new PageArrived<V1ConfigMap>([A], "more", ""));
        var (s2, _) = Step(s1, new RequestFailed<V1ConfigMap>());
        var (_, d3) = Step(s2, new PageArrived<V1ConfigMap>([B], null, "10"));

        Assert.Equal(new RequestPage("more", 0), InformerMachine.Next(s2));
        Assert.Equal(["a", "b"], Names(d3));
    }

    [Fact]
    public void A_streamed_state_becomes_visible_with_its_closing_bookmark_and_the_stream_goes_on()
    {
        InformerState<V1ConfigMap> state = new Streaming<V1ConfigMap>();
        (state, var d1) = Step(state, Changed(A));
        (state, var d2) = Step(state, Changed(B));
        (state, var d3) = Step(state, new BookmarkArrived<V1ConfigMap>("5", EndsInitialEvents: false));
        (state, var d4) = Step(state, new BookmarkArrived<V1ConfigMap>("5", EndsInitialEvents: true));
        (state, var d5) = Step(state, Changed(Map("c", 6)));

        Assert.All(new[] { d1, d2, d3 }, Assert.Null);
        Assert.Equal(["a", "b"], Names(d4));
        Assert.Equal(new Watching<V1ConfigMap>(true, "6"), state);
        Assert.IsType<Upsert<V1ConfigMap>>(d5);
    }

    [Fact]
    public void A_streamed_state_that_was_cut_leaves_nothing_behind_and_falls_back_to_pages_the_second_time()
    {
        var (s1, _) = Step(new Streaming<V1ConfigMap>(), Changed(A));
        var (s2, _) = Step(s1, new RequestFailed<V1ConfigMap>());
        var (s3, _) = Step(s2, new StreamEnded<V1ConfigMap>());

        Assert.Empty(Assert.IsType<Streaming<V1ConfigMap>>(s2).Seen);
        Assert.Equal(new RequestPage(null, 0), InformerMachine.Next(s3));
        Assert.True(s3.Streams);
    }

    [Fact]
    public void A_server_that_does_not_stream_is_never_asked_to_again()
    {
        var (s1, _) = Step(new Streaming<V1ConfigMap>(), new StreamingRefused<V1ConfigMap>());
        var (s2, _) = Step(s1, new PageArrived<V1ConfigMap>([A], null, "10"));
        var (s3, _) = Step(s2, new VersionGone<V1ConfigMap>());
        Assert.IsType<RequestPage>(InformerMachine.Next(s3));
    }

    [Fact]
    public void A_stream_that_ended_is_resumed_from_the_version_held()
    {
        var (s1, _) = Step(new Watching<V1ConfigMap>(true, "10"), Changed(Map("a", 12)));
        var (s2, delta) = Step(s1, new StreamEnded<V1ConfigMap>());
        Assert.Null(delta);
        Assert.Equal(new RequestWatch("12"), InformerMachine.Next(s2));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(7)]
    public void What_was_told_before_is_not_told_again(int version)
    {
        var watching = new Watching<V1ConfigMap>(true, "10");
        Assert.Equal((watching, null), Step(watching, Changed(Map("a", version))));
        Assert.Equal((watching, null), Step(watching, new ObjectDeleted<V1ConfigMap>(new("n", "a"), Map("a", version), $"{version}")));
        Assert.Equal((watching, null), Step(watching, new BookmarkArrived<V1ConfigMap>($"{version}", false)));
    }

    [Fact]
    public void After_410_the_whole_state_is_read_again()
    {
        var (s, delta) = Step(new Watching<V1ConfigMap>(true, "10"), new VersionGone<V1ConfigMap>());
        Assert.Null(delta);
        Assert.IsType<RequestStream>(InformerMachine.Next(s));
    }

    [Theory]
    [InlineData("11", false)]
    [InlineData("10", false)]
    [InlineData("3", true)]
    public void After_a_broken_stream_the_state_is_read_again_only_if_the_servers_history_went_back(string newest, bool again)
    {
        var (doubting, _) = Step(new Watching<V1ConfigMap>(false, "10"), new RequestFailed<V1ConfigMap>());
        Assert.IsType<RequestNewestVersion>(InformerMachine.Next(doubting));

        var (next, _) = Step(doubting, new NewestVersionArrived<V1ConfigMap>(newest));

        if (again) Assert.Equal(new RequestPage(null, 0), InformerMachine.Next(next));
        else Assert.Equal(new RequestWatch("10"), InformerMachine.Next(next));
    }

    [Fact]
    public void Versions_that_are_not_numbers_are_taken_as_they_come()
    {
        var (s, delta) = Step(new Watching<V1ConfigMap>(false, "k8s-x"), new ObjectChanged<V1ConfigMap>(new("n", "a"), A, "k8s-w"));
        Assert.NotNull(delta);
        Assert.Equal(new RequestWatch("k8s-w"), InformerMachine.Next(s));
    }

    internal static V1ConfigMap Map(string name, long version, string uid = "u") =>
        new() { Metadata = new() { Name = name, Namespace = "n", ResourceVersion = $"{version}", Uid = uid } };

    private static ObjectChanged<V1ConfigMap> Changed(V1ConfigMap map) => new(new("n", map.Metadata.Name!), map, map.Metadata.ResourceVersion!);

    private static (InformerState<V1ConfigMap>, InformerDelta<V1ConfigMap>?) Step(InformerState<V1ConfigMap> state, InformerSignal<V1ConfigMap> signal) => InformerMachine.Step(state, signal);

    private static string[] Names(InformerDelta<V1ConfigMap>? delta) => [.. Assert.IsType<Replace<V1ConfigMap>>(delta).All.Select(m => m.Metadata.Name!).Order(StringComparer.Ordinal)];
}
