#!/usr/bin/perl
# A management client in Perl that treats the tree as scripts written in Perl do: opendir, -d and -l tests that follow links,
# buffered line reads, stat modes that say what can be set, one syswrite without a newline for a command, and a look at
# last_sysfs_mgmt_res after EAGAIN.
#
#   tree-client.pl --root DIR [--driver NAME] [--target NAME] [--keep]
#
# Makes devices, LUNs, initiator groups and initiators, reads everything back, compares, and clears it all. Prints TAP; the exit
# status is 0 only when every line is "ok". Objects it makes are called tc_*; others are left alone.
use strict;
use warnings;

use Errno qw(EAGAIN EACCES EOPNOTSUPP);
use Fcntl qw(:mode O_RDONLY O_WRONLY);
use File::Spec;
use Getopt::Long qw(GetOptions);
use IO::File;

my ($root, $driver, $target, $keep) = ('/sys/kernel/scst_tgt', undef, undef, 0);
GetOptions('root=s' => \$root, 'driver=s' => \$driver, 'target=s' => \$target, 'keep' => \$keep) or exit 2;

my ($count, $failed) = (0, 0);

sub ok {
    my ($good, $what, $detail) = @_;
    ++$count;
    ++$failed unless $good;
    $what =~ s/\n/\\n/g;
    print($good ? 'ok' : 'not ok', " $count - $what\n");
    print("# $detail\n") if (!$good && defined($detail));
    return $good;
}

sub is {
    my ($got, $wanted, $what) = @_;
    my $same = defined($got) && defined($wanted) ? $got eq $wanted : !defined($got) && !defined($wanted);
    return ok($same, $what, sprintf('got [%s], wanted [%s]', $got // 'nothing', $wanted // 'nothing'));
}

sub path { return File::Spec->catdir($root, @_); }

sub names {
    my ($path) = @_;
    opendir(my $dir, $path) or return;
    my @names = grep { $_ ne '.' && $_ ne '..' } readdir($dir);
    closedir($dir);
    return @names;
}

sub directories {
    my ($path) = @_;
    return sort grep { -d File::Spec->catdir($path, $_) } names($path);
}

# The first line and whether `[key]` follows, through Perl's buffered reading.
sub attribute {
    my ($path) = @_;
    my $io = IO::File->new($path, O_RDONLY) or return ('unreadable', '-');
    my $value = <$io>;
    my $second = <$io>;
    $io->close();
    $value = '' unless defined($value);
    chomp($value);
    return ($value, defined($second) && $second =~ /\[key\]/ ? 1 : 0);
}

# The same in one sysread, as it is done for attributes whose reading can answer EAGAIN.
sub raw_attribute {
    my ($path) = @_;
    my $io = IO::File->new($path, O_RDONLY) or return;
    my $text;
    for (1 .. 300) {
        my $bytes = sysread($io, $text, 4096);
        last if (defined($bytes) || $! != EAGAIN);
        sleep(1);
    }
    $io->close();
    return $text;
}

sub is_settable {
    my ($path) = @_;
    my $mode = (stat($path))[2];
    return defined($mode) && ($mode & S_IWUSR) != 0;
}

# One command, without a newline. Answers 0 or an errno.
sub command {
    my ($path, $text) = @_;
    my $io = IO::File->new($path, O_WRONLY) or return $! + 0;
    my $bytes = syswrite($io, $text, length($text));
    my $errno = $! + 0;
    $io->close();
    return 0 if (defined($bytes) && $bytes == length($text));
    return defined($bytes) ? -1 : $errno if (defined($bytes) || $errno != EAGAIN);
    my $results = IO::File->new(path('last_sysfs_mgmt_res'), O_RDONLY) or return $errno;
    my $result;
    for (1 .. 300) {
        last if (defined(sysread($results, $result, 8)) || $! != EAGAIN);
        sleep(1);
    }
    $results->close();
    return $errno unless (defined($result) && $result =~ /^(-?\d+)/);
    return abs($1);
}

sub succeeds {
    my ($path, $text) = @_;
    my $errno = command($path, $text);
    local $! = $errno < 0 ? 0 : $errno;
    return ok($errno == 0, "'$text' > " . File::Spec->abs2rel($path, $root), $errno < 0 ? 'written in part' : "errno $errno: $!");
}

sub fails {
    my ($path, $text) = @_;
    my $errno = command($path, $text);
    return ok($errno > 0, "'$text' > " . File::Spec->abs2rel($path, $root) . ' is refused', 'it succeeded');
}

# The parameters a mgmt file names.
sub parameters {
    my ($path) = @_;
    my $io = IO::File->new($path, O_RDONLY) or return;
    my @names;
    while (my $line = <$io>) {
        push(@names, split(/\s*,\s*/, $1)) if ($line =~ /^The following parameters available\:\s*(.*?)\.?$/);
    }
    $io->close();
    return @names;
}

# Number => device, out of the links below luns/.
sub luns {
    my ($path) = @_;
    my %luns;
    foreach my $lun (directories($path)) {
        my $below = File::Spec->catdir($path, $lun);
        foreach my $name (names($below)) {
            my $full = File::Spec->catdir($below, $name);
            next unless (-l $full);
            ($luns{$lun} = readlink($full)) =~ s/.*\///;
        }
    }
    return %luns;
}

sub text_of {
    my %map = @_;
    return join(' ', map { "$_=$map{$_}" } sort keys %map);
}

# Where a device is exported: "driver/target[/group]:lun".
sub exports {
    my ($device) = @_;
    my @found;
    my $path = path('devices', $device, 'exported');
    foreach my $name (names($path)) {
        my $link = readlink(File::Spec->catdir($path, $name));
        if (!defined($link)) {
            push(@found, "no link: $name");
        } elsif ($link =~ /^(\.\.\/)*targets\/([^\/]+)\/([^\/]+)\/ini_groups\/([^\/]+)\/luns\/(\d+)$/) {
            push(@found, "$2/$3/$4:$5");
        } elsif ($link =~ /^(\.\.\/)*targets\/([^\/]+)\/([^\/]+)\/luns\/(\d+)$/) {
            push(@found, "$2/$3:$4");
        } else {
            push(@found, "not understood: $link");
        }
    }
    return sort grep { !/^copy_manager\// } @found;
}

sub finish {
    print("1..$count\n");
    print("# $failed of $count failed\n") if ($failed);
    exit($failed ? 1 : 0);
}

sub check_root {
    my ($version) = attribute(path('version'));
    ok(defined($version) && $version =~ /(\d+)\.\d+\.\d+/ && $1 >= 2, "version is 2.0.0 or newer", $version // "no version in $root");
    foreach my $name (qw(handlers devices targets device_groups sgv)) {
        ok(-d path($name), "$name is a directory");
    }
    my @mode_less = grep { !defined((stat(path($_)))[2]) } names($root);
    is("@mode_less", '', 'every entry of the root can be looked at');
    my ($text) = raw_attribute(path('trace_level'));
    ok(!defined($text) || $text =~ /\[(.*)\]/s, 'trace_level lists its tokens in brackets');
    ok(!is_settable(path('version')), 'the mode of version says that it cannot be set');
    ok(!IO::File->new(path('version'), O_WRONLY) && $! == EACCES, 'version cannot be opened for writing', "$!");
    ok(is_settable(path('setup_id')), 'the mode of setup_id says that it can be set');
}

sub check_handlers {
    my @handlers = directories(path('handlers'));
    ok((grep { $_ eq 'vdisk_nullio' } @handlers) == 1, 'there is a handler vdisk_nullio', "@handlers");
    foreach my $handler (@handlers) {
        my ($type) = attribute(path('handlers', $handler, 'type'));
        ok(defined($type) && $type =~ /^-?\d+ \- \S/, "$handler: type is a number and a text", $type);
    }
    my %parameters = map { $_ => 1 } parameters(path('handlers', 'vdisk_nullio', 'mgmt'));
    ok($parameters{size_mb} && $parameters{blocksize} && $parameters{read_only}, 'vdisk_nullio names its parameters', join(' ', sort keys %parameters));
}

sub choose_target {
    if (!defined($target)) {
        foreach my $candidate (defined($driver) ? ($driver) : directories(path('targets'))) {
            next if ($candidate eq 'copy_manager' && !defined($driver));
            my @targets = directories(path('targets', $candidate));
            ($driver, $target) = ($candidate, $targets[0]) if (@targets && !defined($target));
        }
    }
    $driver //= 'ib_srpt';
    return ok(defined($target) && -d path('targets', $driver, $target), 'there is a target to work with', 'give --driver and --target');
}

sub make_devices {
    my $mgmt = path('handlers', 'vdisk_nullio', 'mgmt');
    ok(-w $mgmt, 'vdisk_nullio/mgmt is writable');
    succeeds($mgmt, 'add_device tc_1 size_mb=64;');
    succeeds($mgmt, 'add_device tc_2 size_mb=128;blocksize=4096;read_only=1;');
    succeeds($mgmt, 'add_device tc_3 ');
    fails($mgmt, 'add_device tc_1 size_mb=64;');
    fails($mgmt, 'add_device tc_4 nosuch=1;');
    fails($mgmt, 'del_device tc_nosuch');
    foreach my $device (qw(tc_1 tc_2 tc_3)) {
        ok(-d path('devices', $device), "devices/$device is a directory");
        ok(-d path('handlers', 'vdisk_nullio', $device), "handlers/vdisk_nullio/$device leads to a directory");
        my $link = readlink(path('devices', $device, 'handler'));
        is($link, '../../handlers/vdisk_nullio', "$device: the link to its handler");
    }
    is(join(':', attribute(path('devices', 'tc_1', 'size'))), '67108864:1', 'tc_1: size, with [key]');
    is(join(':', attribute(path('devices', 'tc_1', 'size_mb'))), '64:0', 'tc_1: size_mb, without [key]');
    is(join(':', attribute(path('devices', 'tc_2', 'blocksize'))), '4096:1', 'tc_2: blocksize, with [key]');
    is(join(':', attribute(path('devices', 'tc_2', 'read_only'))), '1:1', 'tc_2: read_only, with [key]');
    is(join(':', attribute(path('devices', 'tc_3', 'read_only'))), '0:0', 'tc_3: read_only, without [key]');
    is((attribute(path('devices', 'tc_3', 'prod_id')))[0], 'tc_3', 'tc_3: prod_id is its name');
    ok(!is_settable(path('devices', 'tc_1', 'blocksize')), 'tc_1: blocksize cannot be set later');
    succeeds(path('devices', 'tc_1', 't10_dev_id'), 'tc-id');
    is(join(':', attribute(path('devices', 'tc_1', 't10_dev_id'))), 'tc-id:1', 'tc_1: t10_dev_id as written, with [key]');
    fails(path('devices', 'tc_1', 'prod_id'), 'x' x 17);
}

sub make_luns {
    my $luns = path('targets', $driver, $target, 'luns');
    my %before = luns($luns);
    is(join(' ', parameters(File::Spec->catdir($luns, 'mgmt'))), 'read_only', 'luns/mgmt names its parameters');
    my $mgmt = File::Spec->catdir($luns, 'mgmt');
    succeeds($mgmt, 'add tc_1 1001 ');
    succeeds($mgmt, 'add tc_2 1002 read_only=1;');
    fails($mgmt, 'add tc_3 1001 ');
    fails($mgmt, 'add tc_nosuch 1003 ');
    fails($mgmt, 'add tc_3 lun ');
    is(text_of(luns($luns)), text_of(%before, 1001 => 'tc_1', 1002 => 'tc_2'), 'both LUNs are there');
    is(join(':', attribute(File::Spec->catdir($luns, '1002', 'read_only'))), '1:1', 'LUN 1002: read_only, with [key]');
    is(join(' ', exports('tc_1')), "$driver/$target:1001", 'tc_1: the link in exported/');
    succeeds($mgmt, 'replace tc_3 1001 ');
    is(text_of(luns($luns)), text_of(%before, 1001 => 'tc_3', 1002 => 'tc_2'), 'LUN 1001 is replaced');
    return %before;
}

sub make_groups {
    my $groups = path('targets', $driver, $target, 'ini_groups');
    my $mgmt = File::Spec->catdir($groups, 'mgmt');
    succeeds($mgmt, 'create tc_group');
    succeeds($mgmt, 'create tc_other');
    fails($mgmt, 'create tc_group');
    my @made = grep { /^tc_/ } directories($groups);
    is("@made", 'tc_group tc_other', 'both groups are there');
    my $group = File::Spec->catdir($groups, 'tc_group');
    succeeds(File::Spec->catdir($group, 'luns', 'mgmt'), 'add tc_1 0 ');
    is(text_of(luns(File::Spec->catdir($group, 'luns'))), '0=tc_1', 'the LUN of tc_group');
    is(join(' ', exports('tc_1')), "$driver/$target/tc_group:0", 'tc_1: the link in exported/ names the group');
    my $initiators = File::Spec->catdir($group, 'initiators');
    succeeds(File::Spec->catdir($initiators, 'mgmt'), 'add tc_initiator_1');
    succeeds(File::Spec->catdir($initiators, 'mgmt'), 'add tc_*?');
    fails(File::Spec->catdir($initiators, 'mgmt'), 'add tc_initiator_1');
    my @initiators = sort grep { $_ ne 'mgmt' } names($initiators);
    is("@initiators", 'tc_*? tc_initiator_1', 'both initiators are there');
    is((attribute(File::Spec->catdir($initiators, 'tc_initiator_1')))[0], 'tc_initiator_1', 'an initiator reads as its name');
    succeeds(File::Spec->catdir($initiators, 'mgmt'), 'move tc_initiator_1 tc_other');
    my @moved = sort grep { $_ ne 'mgmt' } names(File::Spec->catdir($groups, 'tc_other', 'initiators'));
    is("@moved", 'tc_initiator_1', 'the initiator has moved');
    succeeds(File::Spec->catdir($group, 'addr_method'), "FLAT\n");
    is(join(':', attribute(File::Spec->catdir($group, 'addr_method'))), 'FLAT:1', 'tc_group: addr_method, with [key]');
}

# Whether there is one now: a server may do without them, and says so.
sub make_device_group {
    my $mgmt = path('device_groups', 'mgmt');
    if (command($mgmt, 'create tc_dg') == EOPNOTSUPP) {
        ok(1, 'device groups # SKIP not supported here');
        return 0;
    }
    ok(-d path('device_groups', 'tc_dg'), "'create tc_dg' > device_groups/mgmt");
    my $group = path('device_groups', 'tc_dg');
    succeeds(File::Spec->catdir($group, 'devices', 'mgmt'), 'add tc_1');
    ok(-d File::Spec->catdir($group, 'devices', 'tc_1'), 'the member tc_1 leads to a directory');
    succeeds(File::Spec->catdir($group, 'target_groups', 'mgmt'), 'add tc_tg');
    my $target_group = File::Spec->catdir($group, 'target_groups', 'tc_tg');
    succeeds(File::Spec->catdir($target_group, 'group_id'), "77\n");
    is(join(':', attribute(File::Spec->catdir($target_group, 'group_id'))), '77:1', 'tc_tg: group_id, with [key]');
    fails(File::Spec->catdir($target_group, 'state'), "bogus\n");
    succeeds(File::Spec->catdir($target_group, 'mgmt'), "add $target");
    succeeds(File::Spec->catdir($target_group, 'mgmt'), 'add tc_remote');
    ok(-l File::Spec->catdir($target_group, $target), 'a target of this host is a link');
    ok(!-l File::Spec->catdir($target_group, 'tc_remote') && -d File::Spec->catdir($target_group, 'tc_remote'), 'another one is a directory');
    succeeds(File::Spec->catdir($target_group, 'tc_remote', 'rel_tgt_id'), "9\n");
    is(join(' ', directories($target_group)), join(' ', sort($target, 'tc_remote')), 'both members are there');
    return 1;
}

sub read_everything {
    my @queue = ('');
    my ($files, @unreadable) = (0);
    while (defined(my $relative = shift(@queue))) {
        foreach my $name (names(path($relative))) {
            my $full = path($relative, $name);
            next if (-l $full);
            if (-d $full) {
                push(@queue, File::Spec->catdir($relative, $name));
                next;
            }
            my $mode = (stat($full))[2];
            next unless (defined($mode) && ($mode & S_IRUSR));
            ++$files;
            push(@unreadable, File::Spec->catdir($relative, $name)) unless defined(raw_attribute($full));
        }
    }
    ok($files > 50, 'the tree has files to read', $files);
    is("@unreadable", '', 'every file that says so can be read');
}

sub clear {
    my ($has_device_group, %luns_before) = @_;
    my $luns = path('targets', $driver, $target, 'luns');
    succeeds(path('device_groups', 'mgmt'), 'del tc_dg') if ($has_device_group);
    my $groups = path('targets', $driver, $target, 'ini_groups');
    succeeds(File::Spec->catdir($groups, 'tc_group', 'initiators', 'mgmt'), 'clear');
    succeeds(File::Spec->catdir($groups, 'tc_group', 'luns', 'mgmt'), 'clear');
    succeeds(File::Spec->catdir($groups, 'mgmt'), "del $_") foreach (qw(tc_group tc_other));
    succeeds(File::Spec->catdir($luns, 'mgmt'), 'del 1002');
    fails(File::Spec->catdir($luns, 'mgmt'), 'del 1002');
    # The LUN that is left goes with its device.
    succeeds(path('handlers', 'vdisk_nullio', 'mgmt'), "del_device $_") foreach (qw(tc_1 tc_2 tc_3));
    is(text_of(luns($luns)), text_of(%luns_before), 'the LUNs are as before');
    is(join(' ', grep { /^tc_/ } names(path('devices'))), '', 'no device is left');
    is(join(' ', grep { /^tc_/ } names(path('handlers', 'vdisk_nullio'))), '', 'nor a link to one');
    is(join(' ', grep { /^tc_/ } names($groups)), '', 'no group is left');
    is(join(' ', grep { /^tc_/ } names(path('device_groups'))), '', 'no device group is left');
    is((attribute(path('last_sysfs_mgmt_res')))[0], '0', 'last_sysfs_mgmt_res tells of the last command');
}

check_root();
check_handlers();
finish() unless (choose_target());
make_devices();
my %luns_before = make_luns();
make_groups();
my $has_device_group = make_device_group();
read_everything();
clear($has_device_group, %luns_before) unless ($keep);
finish();
